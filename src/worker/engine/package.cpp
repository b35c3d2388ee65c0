#include "worker/engine/package.h"

#include <concepts>
#include <cstring>

#include "base/limits.h"

namespace noren::worker {
namespace {

constexpr char kMagic[8] = {'N', 'R', 'N', 'P', 'K', 'G', '0', '2'};
constexpr std::size_t kAlignmentBytes = 64;
constexpr std::uint32_t kListCount = 1'000'000;

/// Writes numbers little-endian as the machine has them, texts and lists with their length in front.
class Writer {
 public:
  template <typename T>
  requires std::integral<T> || std::floating_point<T> || std::is_enum_v<T>
  void field(const T& value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    out_.insert(out_.end(), bytes, bytes + sizeof value);
  }
  void field(const std::string& text) {
    field(static_cast<std::uint32_t>(text.size()));
    out_.insert(out_.end(), text.begin(), text.end());
  }
  template <typename T>
  void field(const std::vector<T>& list) {
    field(static_cast<std::uint32_t>(list.size()));
    for (const T& item : list) item_(item);
  }
  void blob(ByteView bytes) {
    field(static_cast<std::uint64_t>(bytes.size()));
    out_.resize((out_.size() + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  Bytes take() { return std::move(out_); }

 private:
  template <typename T>
  void item_(const T& item);
  Bytes out_;
};

/// Reads what Writer wrote; after the first thing out of bounds everything is empty and ok() is false.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && position_ == bytes_.size(); }

  template <typename T>
  requires std::integral<T> || std::floating_point<T> || std::is_enum_v<T>
  void field(T& value) {
    if (const auto view = take(sizeof value); !view.empty()) std::memcpy(&value, view.data(), sizeof value);
  }
  void field(std::string& text) {
    std::uint32_t size = 0;
    field(size);
    const auto view = take(size);
    text.assign(view.begin(), view.end());
  }
  template <typename T>
  void field(std::vector<T>& list) {
    std::uint32_t count = 0;
    field(count);
    ok_ = ok_ && count <= kListCount;
    for (std::uint32_t i = 0; ok_ && i < count; ++i) item_(list.emplace_back());
  }
  ByteView blob() {
    std::uint64_t size = 0;
    field(size);
    position_ = (position_ + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
    return take(size);
  }

 private:
  ByteView take(std::uint64_t size) {
    if (!ok_ || position_ > bytes_.size() || size > bytes_.size() - position_) {
      ok_ = false;
      return {};
    }
    const ByteView view = bytes_.subspan(position_, size);
    position_ += size;
    return view;
  }
  template <typename T>
  void item_(T& item);
  ByteView bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

// The format, said once for both directions.
template <typename Archive, typename T>
requires std::same_as<std::remove_const_t<T>, ImageRule>
void visit(Archive& archive, T& rule) {
  archive.field(rule.layout), archive.field(rule.normalize), archive.field(rule.scale),
      archive.field(rule.offset), archive.field(rule.reverse_channels), archive.field(rule.grey),
      archive.field(rule.channels_count), archive.field(rule.height_count), archive.field(rule.width_count);
}
template <typename Archive, typename T>
requires std::same_as<std::remove_const_t<T>, SoundRule>
void visit(Archive& archive, T& rule) {
  archive.field(rule.layout), archive.field(rule.unit), archive.field(rule.scale);
}
template <typename Archive, typename T>
requires std::same_as<std::remove_const_t<T>, InputSignature>
void visit(Archive& archive, T& input) {
  archive.field(input.name), archive.field(input.variable), archive.field(input.graph_name),
      archive.field(input.type), archive.field(input.shape), archive.field(input.has_batch_axis),
      archive.field(input.has_shape);
  visit(archive, input.image);
  visit(archive, input.sound);
}
template <typename Archive, typename T>
requires std::same_as<std::remove_const_t<T>, OutputSignature>
void visit(Archive& archive, T& output) {
  archive.field(output.name), archive.field(output.variable), archive.field(output.graph_name),
      archive.field(output.type), archive.field(output.shape), archive.field(output.has_batch_axis);
}
template <typename Archive, typename T>
requires std::same_as<std::remove_const_t<T>, ExecutorSignature>
void visit(Archive& archive, T& executor) {
  archive.field(executor.name), archive.field(executor.inputs), archive.field(executor.outputs),
      archive.field(executor.evaluations_count), archive.field(executor.evaluation_mode),
      archive.field(executor.random), archive.field(executor.batchable);
}

template <typename T>
concept Visited = requires(Writer& writer, const T& value) {
  visit(writer, value);
};

template <typename T>
void Writer::item_(const T& item) {
  if constexpr (Visited<T>)
    visit(*this, item);
  else
    field(item);
}
template <typename T>
void Reader::item_(T& item) {
  if constexpr (Visited<T>)
    visit(*this, item);
  else
    field(item);
}

bool is_sound(const Shape& shape, bool has_batch_axis) {
  if (shape.size() > limits::kRankCount || (has_batch_axis && shape.empty())) return false;
  Shape bounded = shape;
  for (std::int64_t& dimension : bounded) {
    if (dimension < -1) return false;
    if (dimension == -1) dimension = 1;
  }
  return checked_element_count(bounded).ok();
}

bool is_sound(const ImageRule& rule) {
  for (const std::int64_t count : {rule.channels_count, rule.height_count, rule.width_count})
    if (count < 0 || count > limits::kImageSideCount) return false;
  return rule.layout <= ImageLayout::kChannelsLast;
}

bool is_sound(const ModelSignature& signature) {
  if (signature.executors.empty()) return false;
  for (const ExecutorSignature& executor : signature.executors) {
    if (executor.outputs.empty() || executor.evaluations_count < 1 ||
        executor.evaluations_count > limits::kEvaluationsCount ||
        executor.evaluation_mode > EvaluationMode::kStandardDeviation)
      return false;
    for (const InputSignature& input : executor.inputs)
      if (input.type > kLastElementType || !is_sound(input.image) ||
          input.sound.layout > SoundLayout::kChannelsLast || !is_sound(input.shape, input.has_batch_axis))
        return false;
    for (const OutputSignature& output : executor.outputs)
      if (output.type > kLastElementType || !is_sound(output.shape, output.has_batch_axis)) return false;
  }
  return true;
}

}  // namespace

Bytes encode_package(const ModelSignature& signature, const std::vector<Bytes>& models) {
  CHECK(models.size() == signature.executors.size());
  Writer writer;
  for (const char c : kMagic) writer.field(c);
  writer.field(signature.executors);
  for (const Bytes& model : models) writer.blob(model);
  return writer.take();
}

Result<Package> decode_package(ByteView bytes) {
  Reader reader(bytes);
  for (const char expected : kMagic) {
    char found = 0;
    reader.field(found);
    if (found != expected)
      return make_error(Code::kCorrupt, "the stored model is damaged or of another release");
  }
  Package package;
  reader.field(package.signature.executors);
  for (std::size_t i = 0; reader.ok() && i < package.signature.executors.size(); ++i)
    package.models.push_back(reader.blob());
  if (!reader.at_end() || !is_sound(package.signature))
    return make_error(Code::kCorrupt, "the stored model is damaged");
  return package;
}

}  // namespace noren::worker
