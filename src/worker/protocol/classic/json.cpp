#include "worker/protocol/classic/json.h"

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

std::size_t digits_count(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  return count;
}

Status check_scalar(json::value& value, json::json_type type) {
  switch (type) {
    case json::json_type::number: TRY(read_double(value)); break;
    case json::json_type::boolean:
      if (value.get_bool().error() != simdjson::SUCCESS) return json_error(simdjson::TAPE_ERROR);
      break;
    case json::json_type::null: {
      bool is_null = false;
      if (value.is_null().get(is_null) != simdjson::SUCCESS || !is_null) return json_error(simdjson::TAPE_ERROR);
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
  if (const auto error = parser.unescape(raw, to).get(plain); error != simdjson::SUCCESS) return json_error(error);
  buffer.resize(plain.size());
  return buffer;
}

bool is_key(const json::parser& parser, json::raw_json_string raw, std::string_view name) {
  const std::string_view text = raw_text(raw);
  if (text.find('\\') == std::string_view::npos) return text == name;
  const Result<std::string> plain = plain_text(parser, raw);
  return plain.ok() && *plain == name;
}

bool is_json_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t whole = digits_count(text);
  if (whole == 0 || (whole > 1 && text[0] == '0')) return false;
  text.remove_prefix(whole);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::size_t fraction = digits_count(text);
    if (fraction == 0) return false;
    text.remove_prefix(fraction);
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    const std::size_t exponent = digits_count(text);
    if (exponent == 0) return false;
    text.remove_prefix(exponent);
  }
  return text.empty();
}

std::string_view token_text(json::value& value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t'))
    token.remove_suffix(1);
  return token;
}

Result<double> read_double(json::value& value) {
  double number = 0;
  if (value.get_double().get(number) == simdjson::SUCCESS) return number;
  // simdjson refuses what is too large for a double; Python reads it as infinity, and so do we.
  const std::string_view text = token_text(value);
  if (!is_json_number(text)) return json_error(simdjson::NUMBER_ERROR);
  return text.starts_with('-') ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

Status check_depth(std::size_t depth) {
  if (depth <= limits::kRequestJsonDepth) return Ok{};
  return invalid("the body is nested too deeply (at most " + std::to_string(limits::kRequestJsonDepth) + " levels)");
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
    if (const auto error = value.get_object().get(object); error != simdjson::SUCCESS) return json_error(error);
    for (auto field : object) {
      if (field.error() != simdjson::SUCCESS) return json_error(field.error());
      TRY(check_unused(field.value_unsafe().value(), depth + 1));
    }
    return Ok{};
  }
  return check_scalar(value, type);
}

}  // namespace noren::worker
