#include "link/messages.h"

#include <concepts>
#include <cstring>

#include "base/limits.h"
#include "link/frame.h"

namespace noren::link {
namespace {

constexpr std::size_t kTextBytes = 64 * limits::kKiB;
constexpr std::size_t kListCount = 1'000;

/// Writes fields one after the other. One visit() a structure describes both directions.
class Encoder {
 public:
  template <typename T>
  requires std::integral<T> || std::is_enum_v<T>
  void field(const T& value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
  }
  void field(const std::string& text) {
    const std::size_t size = std::min(text.size(), kTextBytes);
    field(static_cast<std::uint32_t>(size));
    bytes_.insert(bytes_.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
  }
  void field(const std::vector<std::string>& list) {
    CHECK(list.size() <= kListCount);
    field(static_cast<std::uint32_t>(list.size()));
    for (const std::string& text : list) field(text);
  }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class Decoder {
 public:
  explicit Decoder(ByteView bytes) : bytes_(bytes) {}
  template <typename T>
  requires std::integral<T> || std::is_enum_v<T>
  void field(T& value) {
    if (!take(sizeof value)) return;
    if constexpr (std::is_same_v<T, bool>) {
      good_ = good_ && taken_[0] <= 1;
      value = taken_[0] == 1;
    } else {
      std::memcpy(&value, taken_.data(), sizeof value);
    }
  }
  void field(std::string& text) {
    std::uint32_t size = 0;
    field(size);
    if (size > kTextBytes || !take(size)) {
      good_ = false;
      return;
    }
    text = text_of(taken_);
  }
  void field(std::vector<std::string>& list) {
    std::uint32_t count = 0;
    field(count);
    good_ = good_ && count <= kListCount;
    for (std::uint32_t index = 0; good_ && index < count; ++index) field(list.emplace_back());
  }
  bool good() const { return good_ && bytes_.empty(); }

 private:
  bool take(std::size_t size) {
    good_ = good_ && size <= bytes_.size();
    if (!good_) return false;
    taken_ = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return true;
  }
  ByteView bytes_;
  ByteView taken_;
  bool good_ = true;
};

template <typename Visitor, typename Message>
void visit(Visitor& visitor, Message& message) {
  using T = std::remove_const_t<Message>;
  if constexpr (std::is_same_v<T, ForkRequest>) {
    visitor.field(message.role);
    visitor.field(message.threads_count);
    visitor.field(message.memory_limit_bytes);
    visitor.field(message.file_limit_bytes);
    visitor.field(message.cpu_limit_s);
    visitor.field(message.priority);
  } else if constexpr (std::is_same_v<T, HelloReport>) {
    visitor.field(message.warm_up_ns);
    visitor.field(message.landlock_abi);
    visitor.field(message.profile);
    visitor.field(message.notes);
    visitor.field(message.build);
  } else if constexpr (std::is_same_v<T, LoadRequest>) {
    visitor.field(message.version_label);
    visitor.field(message.threads_count);
    visitor.field(message.batch_limit_count);
    visitor.field(message.keep_output_names);
    visitor.field(message.priority);
    visitor.field(message.try_sample);
    visitor.field(message.on_gpu);
    visitor.field(message.gpu_memory_limit_bytes);
  } else if constexpr (std::is_same_v<T, LoadedReport>) {
    visitor.field(message.private_bytes);
    visitor.field(message.batchable);
  } else {
    visitor.field(message.file_name);
    visitor.field(message.input_rules);
    visitor.field(message.list_layers);
    visitor.field(message.task);
  }
}

template <typename T>
Bytes encode_any(const T& message) {
  Encoder encoder;
  visit(encoder, message);
  return encoder.take();
}

}  // namespace

Bytes encode(const ForkRequest& message) { return encode_any(message); }
Bytes encode(const HelloReport& message) { return encode_any(message); }
Bytes encode(const LoadRequest& message) { return encode_any(message); }
Bytes encode(const LoadedReport& message) { return encode_any(message); }
Bytes encode(const InspectRequest& message) { return encode_any(message); }

template <typename T>
Result<T> decode(ByteView payload) {
  T message;
  Decoder decoder(payload);
  visit(decoder, message);
  if (!decoder.good()) return broken_frame("payload");
  return message;
}
template Result<ForkRequest> decode(ByteView);
template Result<HelloReport> decode(ByteView);
template Result<LoadRequest> decode(ByteView);
template Result<LoadedReport> decode(ByteView);
template Result<InspectRequest> decode(ByteView);

std::string_view cut_detail(std::string_view text) {
  if (text.size() <= limits::kDetailBytes) return text;
  std::size_t size = limits::kDetailBytes;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

}  // namespace noren::link
