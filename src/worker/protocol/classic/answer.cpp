#include <bit>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "worker/protocol/classic/caller_text.h"
#include "worker/protocol/classic/classic.h"
#include "worker/protocol/classic/number_text.h"

namespace noren::worker {
namespace {

constexpr std::size_t kReservedPerNumberBytes = 22;

float half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const float mantissa = static_cast<float>(bits & 1023);
  float value = 0;
  if (exponent == 31) {
    value = mantissa == 0 ? __builtin_inff() : __builtin_nanf("");
  } else if (exponent == 0) {
    value = mantissa * 0x1p-24f;
  } else {
    value = (1.0f + mantissa * 0x1p-10f) * static_cast<float>(std::uint32_t{1} << exponent) * 0x1p-15f;
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

/// How one element of a tensor becomes text.
template <typename T>
char* write_number(char* out, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return write_double(out, static_cast<double>(value));
  } else {
    return std::to_chars(out, out + kNumberTextBytes, value).ptr;
  }
}

/// All elements, joined by ", ". Stops with false where the answer passes its limit.
template <typename T, typename Write>
bool append_numbers(std::string& out, const Tensor& tensor, Write write) {
  const auto count = static_cast<std::size_t>(tensor.count());
  const T* values = tensor.data<T>();
  char text[kNumberTextBytes + 2];
  for (std::size_t i = 0; i < count; ++i) {
    char* end = write(text, values[i]);
    if (i + 1 < count) {
      *end++ = ',';
      *end++ = ' ';
    }
    out.append(text, static_cast<std::size_t>(end - text));
    if (out.size() > limits::kAnswerBytes) return false;
  }
  return true;
}

template <typename T>
bool append_numbers(std::string& out, const Tensor& tensor) {
  return append_numbers<T>(out, tensor, [](char* to, T value) { return write_number(to, value); });
}

bool append_strings(std::string& out, const Tensor& tensor) {
  out += '[';
  bool is_first = true;
  for (const std::string& text : tensor.strings()) {
    if (!is_first) out += ',';
    is_first = false;
    append_json_string(out, text);
    if (out.size() > limits::kAnswerBytes) return false;
  }
  out += ']';
  return true;
}

bool append_values(std::string& out, const Tensor& tensor) {
  switch (tensor.type()) {
    case ElementType::kFloat32: return append_numbers<float>(out, tensor);
    case ElementType::kFloat64: return append_numbers<double>(out, tensor);
    case ElementType::kInt8: return append_numbers<std::int8_t>(out, tensor);
    case ElementType::kInt16: return append_numbers<std::int16_t>(out, tensor);
    case ElementType::kInt32: return append_numbers<std::int32_t>(out, tensor);
    case ElementType::kInt64: return append_numbers<std::int64_t>(out, tensor);
    case ElementType::kUint8: return append_numbers<std::uint8_t>(out, tensor);
    case ElementType::kUint16: return append_numbers<std::uint16_t>(out, tensor);
    case ElementType::kUint32: return append_numbers<std::uint32_t>(out, tensor);
    case ElementType::kUint64: return append_numbers<std::uint64_t>(out, tensor);
    case ElementType::kBool:
      return append_numbers<std::uint8_t>(
          out, tensor, [](char* to, std::uint8_t value) { return write_double(to, value != 0 ? 1.0 : 0.0); });
    case ElementType::kFloat16:
      return append_numbers<std::uint16_t>(
          out, tensor, [](char* to, std::uint16_t value) { return write_double(to, half_value(value)); });
    case ElementType::kBfloat16:
      return append_numbers<std::uint16_t>(out, tensor, [](char* to, std::uint16_t value) {
        return write_double(to, std::bit_cast<float>(std::uint32_t{value} << 16));
      });
    case ElementType::kString: break;
  }
  return false;
}

}  // namespace

Result<std::string> format_answer(std::string_view version, std::span<const std::string> names,
                                  std::span<const Tensor> outputs) {
  CHECK(names.size() == outputs.size());
  std::size_t numbers_count = 0;
  for (const Tensor& tensor : outputs) numbers_count += static_cast<std::size_t>(tensor.count());
  std::string out;
  out.reserve(
      std::min(128 + 64 * outputs.size() + kReservedPerNumberBytes * numbers_count, limits::kAnswerBytes));
  out += "{\"version\":";
  append_json_string(out, version);
  out += ",\"outputs\":[";
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    out += i == 0 ? "{\"name\":" : ",{\"name\":";
    append_json_string(out, names[i]);
    out += ",\"data\":";
    const bool is_text = outputs[i].type() == ElementType::kString;
    if (!is_text) out += '"';
    const bool fits = is_text ? append_strings(out, outputs[i]) : append_values(out, outputs[i]);
    if (!fits)
      return make_error(Code::kTooLarge,
                        "the answer is larger than " + std::to_string(limits::kAnswerBytes) + " bytes");
    if (!is_text) out += '"';
    out += '}';
  }
  out += "]}";
  return out;
}

}  // namespace noren::worker
