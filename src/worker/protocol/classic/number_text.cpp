#include "worker/protocol/classic/number_text.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace noren::worker {
namespace {

// Where Python's float_repr_style "short" switches to an exponent.
constexpr int kLeastPlainExponent = -4;
constexpr int kFirstLargeExponent = 16;

char* write_text(char* out, const char* text) {
  const std::size_t size = std::strlen(text);
  std::memcpy(out, text, size);
  return out + size;
}

char* write_zeros(char* out, int count) {
  if (count > 0) std::memset(out, '0', static_cast<std::size_t>(count));
  return out + (count > 0 ? count : 0);
}

/// digits[0].digits[1…]e±XX
char* write_scientific(char* out, const char* digits, int count, int exponent) {
  *out++ = digits[0];
  if (count > 1) {
    *out++ = '.';
    std::memcpy(out, digits + 1, static_cast<std::size_t>(count - 1));
    out += count - 1;
  }
  *out++ = 'e';
  *out++ = exponent < 0 ? '-' : '+';
  const int size = std::abs(exponent);
  if (size < 10) *out++ = '0';
  return std::to_chars(out, out + 4, size).ptr;
}

/// `count` digits with the point behind digit `exponent`.
char* write_plain(char* out, const char* digits, int count, int exponent) {
  if (exponent < 0) {
    out = write_zeros(write_text(out, "0."), -exponent - 1);
    std::memcpy(out, digits, static_cast<std::size_t>(count));
    return out + count;
  }
  const int whole = exponent + 1;
  if (count <= whole) {
    std::memcpy(out, digits, static_cast<std::size_t>(count));
    return write_text(write_zeros(out + count, whole - count), ".0");
  }
  std::memcpy(out, digits, static_cast<std::size_t>(whole));
  out[whole] = '.';
  std::memcpy(out + whole + 1, digits + whole, static_cast<std::size_t>(count - whole));
  return out + count + 1;
}

}  // namespace

char* write_double(char* out, double value) {
  if (std::isnan(value)) return write_text(out, "nan");
  if (std::signbit(value)) *out++ = '-';
  value = std::abs(value);
  if (std::isinf(value)) return write_text(out, "inf");
  if (value == 0.0) return write_text(out, "0.0");
  // "d.ddde±XX" with the shortest digits; taken apart and laid out anew.
  char text[kNumberTextBytes];
  const char* const end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  const char* const mark =
      static_cast<const char*>(std::memchr(text, 'e', static_cast<std::size_t>(end - text)));
  int exponent = 0;
  std::from_chars(mark + (mark[1] == '+' ? 2 : 1), end, exponent);
  int count = static_cast<int>(mark - text);
  if (count > 1) {
    std::memmove(text + 1, text + 2, static_cast<std::size_t>(count - 2));
    --count;
  }
  if (exponent < kLeastPlainExponent || exponent >= kFirstLargeExponent)
    return write_scientific(out, text, count, exponent);
  return write_plain(out, text, count, exponent);
}

}  // namespace noren::worker
