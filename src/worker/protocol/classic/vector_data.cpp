#include "worker/protocol/classic/vector_data.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/limits.h"
#include "worker/protocol/classic/caller_text.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kUnknown = -1;

struct Half {
  std::uint16_t bits;
};
struct Brain {
  std::uint16_t bits;
};
struct Truth {
  std::uint8_t value;
};

/// The nearest half, ties to even: 11 digits from 2^-14 up, steps of 2^-24 below.
Half half_of(double number) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(number) ? 0x8000 : 0);
  if (std::isnan(number)) return {0x7E00};
  const double size = std::abs(number);
  if (size >= 65520.0) return {static_cast<std::uint16_t>(sign | 0x7C00)};
  const int exponent = size < 0x1p-14 ? -14 : std::ilogb(size);
  // Whole steps of this exponent; 2048 of them are the first step of the next one, which the sum gives by
  // itself.
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  return {static_cast<std::uint16_t>(sign | ((exponent + 14) * 1024 + steps))};
}

/// The nearest bfloat16, ties to even. By way of the float that is rounded to odd: it keeps, in its last bit,
/// that something was cut off, so that rounding twice does not move a number across a tie.
Brain brain_of(double number) {
  if (std::isnan(number)) return {0x7FC0};
  auto nearest = static_cast<float>(number);
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (std::isfinite(nearest) && static_cast<double>(nearest) != number) {
    if (std::abs(static_cast<double>(nearest)) > std::abs(number)) --bits;
    bits |= 1;
  }
  if ((bits & 0x7F800000) == 0x7F800000) return {static_cast<std::uint16_t>(bits >> 16)};
  bits += 0x7FFF + (bits >> 16 & 1);
  return {static_cast<std::uint16_t>(bits >> 16)};
}

template <typename T>
Result<T> from_double(double number) {
  if constexpr (std::is_same_v<T, Half>) {
    return half_of(number);
  } else if constexpr (std::is_same_v<T, Brain>) {
    return brain_of(number);
  } else if constexpr (std::is_same_v<T, Truth>) {
    return Truth{static_cast<std::uint8_t>(number != 0.0 ? 1 : 0)};
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(number);
  } else {
    if (number != std::floor(number)) return invalid("a whole number is expected");
    // The upper bound as a double is one past the largest value of a 64-bit type.
    const double least = static_cast<double>(std::numeric_limits<T>::min());
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    if (!(number >= least && number < end)) return invalid("a number does not fit the type of the input");
    return static_cast<T>(number);
  }
}

/// A whole number that a double may not hold exactly.
template <typename T>
bool read_exactly(std::string_view text, T& number) {
  if constexpr (std::is_integral_v<T>) {
    const std::from_chars_result read = std::from_chars(text.data(), text.data() + text.size(), number);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size() && double_of(text).has_value();
  } else {
    return false;
  }
}

/// What JSON has no number for, by the names that answers use: "nan" (a missing value), "inf", "-inf".
std::optional<double> named_number(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const auto is_named = [&](std::string_view name) {
    return std::equal(text.begin(), text.end(), name.begin(), name.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
  };
  const double sign = is_negative ? -1.0 : 1.0;
  if (is_named("nan")) return std::numeric_limits<double>::quiet_NaN();
  if (is_named("inf") || is_named("infinity")) return sign * std::numeric_limits<double>::infinity();
  return std::nullopt;
}

/// "5" counts as 5, as it does where the reference's library turns a list into an array.
Result<double> double_of_text(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (const std::optional<double> number = double_of(text); number.has_value()) return *number;
  if (const std::optional<double> number = named_number(text); number.has_value()) return *number;
  return invalid(quote(text) + " is not a number");
}

template <typename T>
Result<T> read_element(const json::parser& parser, json::value& value, json::json_type type) {
  if constexpr (std::is_same_v<T, std::string>) {
    json::raw_json_string raw;
    if (type != json::json_type::string || value.get_raw_json_string().get(raw) != simdjson::SUCCESS)
      return invalid("strings are expected");
    return plain_text(parser, raw);
  } else {
    if (type == json::json_type::number) {
      if (T number{}; read_exactly(token_text(value), number)) return number;
      ASSIGN_OR_RETURN(const double number, read_double(value));
      return from_double<T>(number);
    }
    if (type == json::json_type::boolean) {
      bool truth = false;
      if (value.get_bool().get(truth) != simdjson::SUCCESS) return json_error(simdjson::TAPE_ERROR);
      return from_double<T>(truth ? 1.0 : 0.0);
    }
    if (type == json::json_type::string) {
      json::raw_json_string raw;
      if (const auto error = value.get_raw_json_string().get(raw); error != simdjson::SUCCESS)
        return json_error(error);
      ASSIGN_OR_RETURN(const double number, double_of_text(raw_text(raw)));
      return from_double<T>(number);
    }
    return invalid(type == json::json_type::null ? "null is not a number"
                                                 : "a number is expected, not an object");
  }
}

/// Flattens nested lists in order and watches that they are rectangular.
template <typename T>
class ListReader {
 public:
  ListReader(const json::parser& parser, std::int64_t expected_count) : parser_(parser) {
    if (expected_count > 0) values_.reserve(static_cast<std::size_t>(expected_count));
    // What is more than the input takes is counted, for the message, but not kept.
    kept_count_ = expected_count == kUnknown ? limits::kTensorElementsCount : expected_count;
  }

  Status read(json::value value, std::size_t depth) {
    json::json_type type = json::json_type::null;
    if (const auto error = value.type().get(type); error != simdjson::SUCCESS) return json_error(error);
    if (type == json::json_type::array) return read_list(value, depth, 0);
    if (type == json::json_type::string && !std::is_same_v<T, std::string>)
      return invalid("data must be a list of numbers, not a string");
    return add(value, type, 0);
  }

  std::int64_t count() const { return count_; }
  std::vector<T>& values() { return values_; }
  const Shape& shape() const { return shape_; }

 private:
  Status read_list(json::value value, std::size_t depth, std::size_t level) {
    TRY(check_depth(depth));
    if (leaf_level_ <= static_cast<std::int64_t>(level) && leaf_level_ != kUnknown) return ragged();
    if (shape_.size() <= level) shape_.push_back(kUnknown);
    json::array list;
    if (const auto error = value.get_array().get(list); error != simdjson::SUCCESS) return json_error(error);
    std::int64_t length = 0;
    for (auto item : list) {
      if (item.error() != simdjson::SUCCESS) return json_error(item.error());
      json::value& element = item.value_unsafe();
      json::json_type type = json::json_type::null;
      if (const auto error = element.type().get(type); error != simdjson::SUCCESS) return json_error(error);
      if (type == json::json_type::array) {
        TRY(read_list(element, depth + 1, level + 1));
      } else {
        TRY(add(element, type, level + 1));
      }
      ++length;
    }
    if (shape_[level] == kUnknown) shape_[level] = length;
    return shape_[level] == length ? Status(Ok{}) : ragged();
  }

  Status add(json::value& value, json::json_type type, std::size_t level) {
    if (leaf_level_ == kUnknown && shape_.size() <= level) leaf_level_ = static_cast<std::int64_t>(level);
    if (leaf_level_ != static_cast<std::int64_t>(level)) return ragged();
    ASSIGN_OR_RETURN(T element, read_element<T>(parser_, value, type));
    if (++count_ <= kept_count_) values_.push_back(std::move(element));
    return Ok{};
  }

  static Error ragged() { return invalid("the lists are not of equal length and depth"); }

  const json::parser& parser_;
  std::vector<T> values_;
  std::int64_t kept_count_ = 0;
  std::int64_t count_ = 0;
  Shape shape_;                         ///< the lists' own lengths, outermost first
  std::int64_t leaf_level_ = kUnknown;  ///< in how many lists the numbers stand
};

bool has_free_axis(const InputSignature& input) {
  const Shape& shape = input.shape;
  return !input.has_shape || std::any_of(shape.begin(), shape.end(), [](auto n) { return n < 0; });
}

bool fits(const Shape& lists, const Shape& shape) {
  return std::equal(lists.begin(), lists.end(), shape.begin(), shape.end(),
                    [](std::int64_t length, std::int64_t wanted) { return wanted < 0 || length == wanted; });
}

/// "?x3x?".
std::string axes_text(const Shape& shape) {
  std::string text;
  for (const std::int64_t axis : shape)
    text += (text.empty() ? "" : "x") + (axis < 0 ? std::string("?") : std::to_string(axis));
  return text;
}

/// The full shape of an input with free axes: what the lists' own nesting says, else what the count leaves
/// for one axis.
Result<Shape> free_shape(const InputSignature& input, const Shape& lists, std::int64_t count) {
  if (!input.has_shape || fits(lists, input.shape)) return lists;
  const Shape sample = sample_shape(input);
  if (fits(lists, sample)) {
    Shape shape = lists;
    if (input.has_batch_axis) shape.insert(shape.begin(), 1);
    return shape;
  }
  auto filled = fill_free_axis(input.shape, count);
  if (!filled.ok() && std::count(input.shape.begin(), input.shape.end(), -1) > 1)
    return invalid("several axes of this input are free (" + axes_text(sample) +
                   "): lists nested as its axes are say how long each is");
  return filled;
}

Error wrong_count(const InputSignature& input, std::int64_t expected, std::int64_t given) {
  const std::string what = input.type == ElementType::kString ? "string" : "number";
  return invalid(std::to_string(expected) + " " + what + (expected == 1 ? "" : "s") + " expected (" +
                 to_string(sample_shape(input)) + "), " + std::to_string(given) + " given");
}

template <typename T>
Result<Tensor> read_as(const json::parser& parser, json::value value, const InputSignature& input,
                       std::size_t depth) {
  const bool is_free = has_free_axis(input);
  std::int64_t expected = kUnknown;
  if (!is_free) {
    ASSIGN_OR_RETURN(expected, checked_element_count(input.shape));
  }
  ListReader<T> reader(parser, expected);
  TRY(reader.read(value, depth));
  if (!is_free && reader.count() != expected) return wrong_count(input, expected, reader.count());
  Shape shape = input.shape;
  if (is_free) {
    ASSIGN_OR_RETURN(shape, free_shape(input, reader.shape(), reader.count()));
    ASSIGN_OR_RETURN(expected, checked_element_count(shape));
    if (reader.count() != expected) return wrong_count(input, expected, reader.count());
  }
  Tensor tensor(input.type, std::move(shape));
  if constexpr (std::is_same_v<T, std::string>) {
    tensor.strings() = std::move(reader.values());
  } else {
    if (tensor.size_bytes() > 0) std::memcpy(tensor.raw(), reader.values().data(), tensor.size_bytes());
  }
  return tensor;
}

template <typename T>
void convert_values(const Tensor& from, Tensor& to) {
  const auto count = static_cast<std::size_t>(from.count());
  const float* values = from.data<float>();
  for (std::size_t i = 0; i < count; ++i) {
    T converted{};
    if constexpr (std::is_integral_v<T>) {
      const double rounded = std::isnan(values[i]) ? 0.0 : std::nearbyint(static_cast<double>(values[i]));
      const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
      converted = rounded >= end ? std::numeric_limits<T>::max()
                  : rounded <= static_cast<double>(std::numeric_limits<T>::min())
                      ? std::numeric_limits<T>::min()
                      : static_cast<T>(rounded);
    } else {
      converted = *from_double<T>(static_cast<double>(values[i]));
    }
    std::memcpy(to.raw() + i * sizeof(T), &converted, sizeof(T));
  }
}

/// Calls `action` with a value of the C++ type that stands for the element type.
template <typename Action>
auto with_type(ElementType type, Action action) {
  switch (type) {
    case ElementType::kFloat32: return action(float{});
    case ElementType::kFloat64: return action(double{});
    case ElementType::kInt8: return action(std::int8_t{});
    case ElementType::kInt16: return action(std::int16_t{});
    case ElementType::kInt32: return action(std::int32_t{});
    case ElementType::kInt64: return action(std::int64_t{});
    case ElementType::kUint8: return action(std::uint8_t{});
    case ElementType::kUint16: return action(std::uint16_t{});
    case ElementType::kUint32: return action(std::uint32_t{});
    case ElementType::kUint64: return action(std::uint64_t{});
    case ElementType::kBool: return action(Truth{});
    case ElementType::kFloat16: return action(Half{});
    case ElementType::kBfloat16: return action(Brain{});
    case ElementType::kString: break;
  }
  return action(std::string{});
}

}  // namespace

Result<Tensor> read_vector(const json::parser& parser, json::value value, const InputSignature& input,
                           std::size_t depth) {
  return with_type(input.type,
                   [&](auto zero) { return read_as<decltype(zero)>(parser, value, input, depth); });
}

Result<Tensor> convert_samples(Tensor samples, const InputSignature& input) {
  if (input.type == ElementType::kFloat32) return samples;
  Tensor converted(input.type, samples.shape());
  with_type(input.type, [&](auto zero) {
    if constexpr (!std::is_same_v<decltype(zero), std::string>)
      convert_values<decltype(zero)>(samples, converted);
  });
  return converted;
}

}  // namespace noren::worker
