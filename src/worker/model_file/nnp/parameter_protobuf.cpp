#include "worker/model_file/nnp/parameter_protobuf.h"

#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "base/limits.h"
#include "worker/model_file/text.h"

namespace noren::worker::nnp {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they stand in the file");

enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// Field numbers of the format (NNablaProtoBuf, Parameter, Shape).
constexpr std::uint32_t kParameterField = 200;
constexpr std::array<std::uint32_t, 8> kOtherFields = {1, 2, 10, 100, 300, 400, 500, 600};
constexpr std::uint32_t kNameField = 1, kShapeField = 20, kDataField = 100, kNeedGradField = 101,
                        kDimField = 1;

struct Tag {
  std::uint32_t field = 0;
  std::uint32_t wire = 0;
};

/// Buffered pulling of wire values. position() counts the bytes that were taken.
class WireReader {
 public:
  WireReader(ByteSource& source, std::string label) : source_(source), label_(std::move(label)) {}

  std::uint64_t position() const { return taken_bytes_; }
  std::uint64_t bytes_left_at_most() const { return (end_ - begin_) + source_.bytes_left_at_most(); }
  Error broken(const char* why) const {
    return make_error(Code::kCorrupt, label_ + " " + why + " (byte " + std::to_string(taken_bytes_) + ")");
  }
  Error cut_off() const { return broken("is cut off"); }

  Result<bool> at_end() {
    if (begin_ < end_) return false;
    TRY(fill());
    return begin_ == end_;
  }

  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      ASSIGN_OR_RETURN(const bool ended, at_end());
      if (ended) return cut_off();
      const std::uint8_t byte = buffer_[begin_++];
      ++taken_bytes_;
      value |= std::uint64_t{byte & 0x7fu} << (shift < 64 ? shift : 63);
      if ((byte & 0x80) == 0) return value;
    }
    return broken("is no parameter file: a number is too long");
  }

  Result<Tag> tag() {
    ASSIGN_OR_RETURN(const std::uint64_t value, varint());
    if (value > 0xffff'ffffu || (value >> 3) == 0) return broken("is no parameter file");
    return Tag{static_cast<std::uint32_t>(value >> 3), static_cast<std::uint32_t>(value & 7)};
  }

  Status read(std::span<std::uint8_t> target) {
    while (!target.empty()) {
      std::size_t count = std::min(target.size(), end_ - begin_);
      if (count > 0) {
        std::memcpy(target.data(), buffer_.data() + begin_, count);
        begin_ += count;
      } else if (target.size() >= buffer_.size()) {
        ASSIGN_OR_RETURN(count, source_.read(target));
        if (count == 0) return cut_off();
      } else {
        TRY(fill());
        if (begin_ == end_) return cut_off();
        continue;
      }
      taken_bytes_ += count;
      target = target.subspan(count);
    }
    return Ok{};
  }

  Status skip(std::uint64_t count) {
    if (count > bytes_left_at_most()) return cut_off();
    while (count > 0) {
      ASSIGN_OR_RETURN(const bool ended, at_end());
      if (ended) return cut_off();
      const std::uint64_t step = std::min<std::uint64_t>(count, end_ - begin_);
      begin_ += static_cast<std::size_t>(step);
      taken_bytes_ += step;
      count -= step;
    }
    return Ok{};
  }

  /// Skips a value of a field that is not looked at.
  Status skip_value(std::uint32_t wire) {
    if (wire == kFixed64) return skip(8);
    if (wire == kFixed32) return skip(4);
    if (wire != kVarint && wire != kBytes) return broken("is no parameter file");
    ASSIGN_OR_RETURN(const std::uint64_t value, varint());
    return wire == kBytes ? skip(value) : Status(Ok{});
  }

  /// The length of a field of bytes, which must end at `end` at the latest.
  Result<std::uint64_t> length(std::uint64_t end) {
    ASSIGN_OR_RETURN(const std::uint64_t count, varint());
    if (count > bytes_left_at_most()) return cut_off();
    if (count > end - std::min(end, taken_bytes_))
      return broken("is no parameter file: a part is longer than the whole");
    return count;
  }

 private:
  Status fill() {
    begin_ = 0;
    end_ = 0;
    ASSIGN_OR_RETURN(end_, source_.read(buffer_));
    return Ok{};
  }

  ByteSource& source_;
  std::string label_;
  std::array<std::uint8_t, 64 * limits::kKiB> buffer_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t taken_bytes_ = 0;
};

struct StoredParameter {
  std::string name;
  Shape shape;
  std::uint64_t values_count = 0;
  std::vector<float> values;
};

class ParameterReader {
 public:
  ParameterReader(WireReader& reader, const ParameterTable& table) : reader_(reader), table_(table) {}

  Result<StoredParameter> read(std::uint64_t end) {
    while (reader_.position() < end) {
      ASSIGN_OR_RETURN(const Tag tag, reader_.tag());
      if (tag.field == kNameField && tag.wire == kBytes) {
        TRY(read_name(end));
      } else if (tag.field == kShapeField && tag.wire == kBytes) {
        TRY(read_shape(end));
      } else if (tag.field == kDataField && (tag.wire == kBytes || tag.wire == kFixed32)) {
        TRY(read_values(tag.wire, end));
      } else if (tag.field == kNeedGradField && tag.wire == kVarint) {
        TRY(reader_.skip_value(tag.wire));
      } else {
        return reader_.broken("is no parameter file: a parameter has an unknown field");
      }
    }
    if (reader_.position() != end)
      return reader_.broken("is no parameter file: a part is longer than the whole");
    return std::move(stored_);
  }

 private:
  Status read_name(std::uint64_t end) {
    ASSIGN_OR_RETURN(const std::uint64_t count, reader_.length(end));
    if (count > limits::kNameBytes) return reader_.broken("has a parameter whose name is too long");
    stored_.name.resize(static_cast<std::size_t>(count));
    return reader_.read({reinterpret_cast<std::uint8_t*>(stored_.name.data()), stored_.name.size()});
  }

  Status read_shape(std::uint64_t end) {
    ASSIGN_OR_RETURN(const std::uint64_t count, reader_.length(end));
    const std::uint64_t shape_end = reader_.position() + count;
    while (reader_.position() < shape_end) {
      ASSIGN_OR_RETURN(const Tag tag, reader_.tag());
      if (tag.field != kDimField || (tag.wire != kBytes && tag.wire != kVarint)) {
        return reader_.broken("is no parameter file: a shape has an unknown field");
      }
      std::uint64_t numbers_end = reader_.position() + 1;  // one number
      if (tag.wire == kBytes) {
        ASSIGN_OR_RETURN(const std::uint64_t bytes, reader_.length(shape_end));
        numbers_end = reader_.position() + bytes;
      }
      while (reader_.position() < numbers_end) {
        ASSIGN_OR_RETURN(const std::uint64_t dimension, reader_.varint());
        stored_.shape.push_back(static_cast<std::int64_t>(dimension));
        if (stored_.shape.size() > limits::kRankCount) {
          return reader_.broken("has a parameter with too many dimensions");
        }
      }
    }
    return Ok{};
  }

  Status read_values(std::uint32_t wire, std::uint64_t end) {
    std::uint64_t bytes = sizeof(float);
    if (wire == kBytes) {
      ASSIGN_OR_RETURN(bytes, reader_.length(end));
    } else if (end - reader_.position() < bytes) {
      return reader_.cut_off();
    }
    if (bytes % sizeof(float) != 0) return reader_.broken("has a parameter whose values are cut off");
    const std::uint64_t count = bytes / sizeof(float);
    stored_.values_count += count;
    if (stored_.values_count > static_cast<std::uint64_t>(limits::kTensorElementsCount)) {
      return reader_.broken("has a parameter with too many values");
    }
    // The name stands before the values in every known file; where it does not, the values are kept until it
    // comes.
    if (!stored_.name.empty() && !table_.wants(stored_.name)) return reader_.skip(bytes);
    const std::size_t begin = stored_.values.size();
    if (wire == kBytes) stored_.values.reserve(begin + static_cast<std::size_t>(count));
    stored_.values.resize(begin + static_cast<std::size_t>(count));
    return reader_.read(
        {reinterpret_cast<std::uint8_t*>(stored_.values.data() + begin), static_cast<std::size_t>(bytes)});
  }

  WireReader& reader_;
  const ParameterTable& table_;
  StoredParameter stored_;
};

Status add_to(ParameterTable& table, StoredParameter stored) {
  const std::string owner = "parameter " + quoted_name(stored.name);
  ASSIGN_OR_RETURN(const std::int64_t count, ParameterTable::count_of(stored.shape, owner));
  if (stored.values_count != static_cast<std::uint64_t>(count)) {
    return invalid(owner + " has the shape " + to_string(stored.shape) + " and " +
                   std::to_string(stored.values_count) + " values");
  }
  std::shared_ptr<const std::vector<float>> values;
  if (table.wants(stored.name)) values = std::make_shared<const std::vector<float>>(std::move(stored.values));
  return table.add(stored.name, std::move(stored.shape), std::move(values));
}

}  // namespace

Status read_parameter_protobuf(ByteSource& source, const std::string& member, ParameterTable& table) {
  auto reader = std::make_unique<WireReader>(source, "the parameter file " + quoted_name(member));
  std::set<std::string> names;
  for (;;) {
    ASSIGN_OR_RETURN(const bool ended, reader->at_end());
    if (ended) return Ok{};
    ASSIGN_OR_RETURN(const Tag tag, reader->tag());
    if (tag.wire != kBytes) return reader->broken("is no parameter file");
    ASSIGN_OR_RETURN(const std::uint64_t count, reader->length(~std::uint64_t{0}));
    if (tag.field != kParameterField) {
      // Tools may store the whole model in this message; only its parameters are read here.
      bool known = false;
      for (const std::uint32_t field : kOtherFields) known |= tag.field == field;
      if (!known) return reader->broken("is no parameter file");
      TRY(reader->skip(count));
      continue;
    }
    ASSIGN_OR_RETURN(StoredParameter stored,
                     ParameterReader(*reader, table).read(reader->position() + count));
    if (!names.insert(stored.name).second) {
      return invalid("the parameter file " + quoted_name(member) + " has parameter " +
                     quoted_name(stored.name) + " twice");
    }
    TRY(add_to(table, std::move(stored)));
  }
}

}  // namespace noren::worker::nnp
