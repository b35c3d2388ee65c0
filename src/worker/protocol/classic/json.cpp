#include "worker/protocol/classic/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/limits.h"

namespace noren::worker {
namespace {

const char* reason_of(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY: return " (it is empty)";
    case simdjson::UTF8_ERROR: return " (it is not UTF-8)";
    case simdjson::UNCLOSED_STRING: return " (a string is not closed)";
    case simdjson::UNESCAPED_CHARS: return " (a string holds a bare control character)";
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT: return " (a list or an object is not closed)";
    case simdjson::NUMBER_ERROR: return " (a number is not written as JSON writes it)";
    case simdjson::STRING_ERROR: return " (a string's escapes are wrong)";
    default: return "";
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A number taken apart: its digits as a whole number while they fit, and the power of ten that they are
/// short of.
struct Decimal {
  std::uint64_t digits = 0;
  int digits_count = 0;        ///< without leading zeros
  std::int64_t exponent = 0;   ///< value = digits * 10^exponent, where all digits fit
  std::int64_t magnitude = 0;  ///< the power of ten just above the value
  bool is_negative = false;
};

constexpr int kSafeDigitsCount = 19;  // of a 64-bit number
constexpr std::int64_t kEndlessExponent = 1'000'000'000;
constexpr std::int64_t kExactPower = 22;  // 10^22 is the largest power of ten that a double holds exactly
constexpr std::uint64_t kExactDigits = std::uint64_t{1} << 53;
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// Takes the digits that a text begins with. Returns how many they were.
std::size_t take_digits(std::string_view& text, Decimal& decimal) {
  std::size_t count = 0;
  for (; count < text.size() && is_digit(text[count]); ++count) {
    const int digit = text[count] - '0';
    if (decimal.digits_count == 0 && digit == 0) continue;
    if (++decimal.digits_count <= kSafeDigitsCount)
      decimal.digits = decimal.digits * 10 + static_cast<std::uint64_t>(digit);
  }
  text.remove_prefix(count);
  return count;
}

/// The exponent behind an e. False where there is none.
bool take_exponent(std::string_view& text, std::int64_t& exponent) {
  text.remove_prefix(1);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  std::size_t count = 0;
  for (; count < text.size() && is_digit(text[count]); ++count)
    exponent = std::min(exponent * 10 + (text[count] - '0'), kEndlessExponent);
  text.remove_prefix(count);
  if (is_negative) exponent = -exponent;
  return count > 0;
}

std::optional<Decimal> decimal_of(std::string_view text) {
  Decimal decimal;
  decimal.is_negative = text.starts_with('-');
  if (decimal.is_negative) text.remove_prefix(1);
  const bool has_leading_zero = text.starts_with('0');
  const std::size_t whole = take_digits(text, decimal);
  if (whole == 0 || (whole > 1 && has_leading_zero)) return std::nullopt;
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text, decimal);
    if (fraction == 0) return std::nullopt;
  }
  std::int64_t exponent = 0;
  if ((text.starts_with('e') || text.starts_with('E')) && !take_exponent(text, exponent)) return std::nullopt;
  if (!text.empty()) return std::nullopt;
  decimal.exponent = exponent - static_cast<std::int64_t>(fraction);
  decimal.magnitude = decimal.exponent + decimal.digits_count;
  return decimal;
}

Status check_scalar(json::value& value, json::json_type type) {
  switch (type) {
    case json::json_type::number: TRY(read_double(value)); break;
    case json::json_type::boolean:
      if (value.get_bool().error() != simdjson::SUCCESS) return json_error(simdjson::TAPE_ERROR);
      break;
    case json::json_type::null: {
      bool is_null = false;
      if (value.is_null().get(is_null) != simdjson::SUCCESS || !is_null)
        return json_error(simdjson::TAPE_ERROR);
      break;
    }
    default: break;  // strings were checked before: UTF-8, control characters, their end
  }
  return Ok{};
}

}  // namespace

Error json_error(simdjson::error_code code) {
  if (code == simdjson::MEMALLOC || code == simdjson::CAPACITY)
    return make_error(Code::kTooLarge, "the body needs more memory than there is");
  return make_error(Code::kInvalidArgument, std::string("the body is not valid JSON") + reason_of(code),
                    simdjson::error_message(code));
}

std::string_view raw_text(json::raw_json_string raw) {
  const char* const begin = raw.raw();
  const char* end = begin;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return {begin, static_cast<std::size_t>(end - begin)};
}

Result<std::string> plain_text(const json::parser& parser, json::raw_json_string raw) {
  const std::string_view text = raw_text(raw);
  if (text.find('\\') == std::string_view::npos) return std::string(text);
  std::string buffer(text.size() + simdjson::SIMDJSON_PADDING, '\0');
  auto* to = reinterpret_cast<std::uint8_t*>(buffer.data());
  std::string_view plain;
  if (const auto error = parser.unescape(raw, to).get(plain); error != simdjson::SUCCESS)
    return json_error(error);
  buffer.resize(plain.size());
  return buffer;
}

bool is_key(const json::parser& parser, json::raw_json_string raw, std::string_view name) {
  const std::string_view text = raw_text(raw);
  if (text.find('\\') == std::string_view::npos) return text == name;
  const Result<std::string> plain = plain_text(parser, raw);
  return plain.ok() && *plain == name;
}

std::optional<double> double_of(std::string_view text) {
  const std::optional<Decimal> decimal = decimal_of(text);
  if (!decimal.has_value()) return std::nullopt;
  const double sign = decimal->is_negative ? -1.0 : 1.0;
  if (decimal->digits_count == 0) return sign * 0.0;
  // Both factors exact: then the product or quotient is rounded once, as it must be.
  if (decimal->digits_count <= kSafeDigitsCount && decimal->digits <= kExactDigits &&
      std::abs(decimal->exponent) <= kExactPower) {
    const auto digits = static_cast<double>(decimal->digits);
    return sign * (decimal->exponent < 0 ? digits / kPowers[-decimal->exponent]
                                         : digits * kPowers[decimal->exponent]);
  }
  double number = 0;
  const std::from_chars_result read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc{}) return number;
  return sign * (decimal->magnitude > 0 ? std::numeric_limits<double>::infinity() : 0.0);
}

std::string_view token_text(json::value& value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t'))
    token.remove_suffix(1);
  return token;
}

Result<double> read_double(json::value& value) {
  const std::optional<double> number = double_of(token_text(value));
  if (!number.has_value()) return json_error(simdjson::NUMBER_ERROR);
  return *number;
}

Status check_depth(std::size_t depth) {
  if (depth <= limits::kRequestJsonDepth) return Ok{};
  return invalid("the body is nested too deeply (at most " + std::to_string(limits::kRequestJsonDepth) +
                 " levels)");
}

Status check_unused(json::value value, std::size_t depth) {
  json::json_type type = json::json_type::null;
  if (const auto error = value.type().get(type); error != simdjson::SUCCESS) return json_error(error);
  if (type == json::json_type::array) {
    TRY(check_depth(depth));
    json::array list;
    if (const auto error = value.get_array().get(list); error != simdjson::SUCCESS) return json_error(error);
    for (auto item : list) {
      if (item.error() != simdjson::SUCCESS) return json_error(item.error());
      TRY(check_unused(item.value_unsafe(), depth + 1));
    }
    return Ok{};
  }
  if (type == json::json_type::object) {
    TRY(check_depth(depth));
    json::object object;
    if (const auto error = value.get_object().get(object); error != simdjson::SUCCESS)
      return json_error(error);
    for (auto field : object) {
      if (field.error() != simdjson::SUCCESS) return json_error(field.error());
      TRY(check_unused(field.value_unsafe().value(), depth + 1));
    }
    return Ok{};
  }
  return check_scalar(value, type);
}

}  // namespace noren::worker
