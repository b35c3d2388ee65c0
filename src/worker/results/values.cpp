#include "worker/results/values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "worker/model_file/text.h"

namespace noren::worker::results {
namespace {

constexpr std::size_t kNumberBytes = 40;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the digits off the front; false where there is none.
bool take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const auto count = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(count);
  return count > 0;
}

bool has_json_form(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool leading_zero = text.size() > 1 && text[0] == '0' && is_digit(text[1]);
  if (leading_zero || !take_digits(text)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!take_digits(text)) return false;
  }
  if (text.empty() || (text[0] != 'e' && text[0] != 'E')) return text.empty();
  text.remove_prefix(1);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return take_digits(text) && text.empty();
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

std::string clean_text(std::string_view text, std::size_t limit_bytes) {
  std::string clean;
  clean.reserve(std::min(text.size(), limit_bytes));
  while (!text.empty()) {
    std::size_t size = 1;
    while (size < 4 && size < text.size() && !is_utf8(text.substr(0, size))) ++size;
    const bool good = is_utf8(text.substr(0, size));
    const std::string_view character = good ? text.substr(0, size) : std::string_view("\xEF\xBF\xBD");
    if (clean.size() + character.size() > limit_bytes) break;
    const bool control = character.size() == 1 && (character[0] < 0x20 || character[0] == 0x7f);
    clean += control ? std::string_view(" ") : character;
    text.remove_prefix(good ? size : 1);
  }
  return clean;
}

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (failure != std::errc{} || end != text.data() + text.size() || count < 0) return std::nullopt;
  return count;
}

std::optional<double> parse_number(std::string_view text) {
  if (text.empty() || text.size() > kNumberBytes) return std::nullopt;
  bool negative = false;
  if (text[0] == '+' || text[0] == '-') {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  std::string word(text.starts_with('.') && text.size() > 1 && !is_digit(text[1]) ? text.substr(1) : text);
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  });
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  double number = std::numeric_limits<double>::infinity();
  if (word != "inf" && word != "infinity") {
    const bool begins_as_number = !word.empty() && (is_digit(word[0]) || word[0] == '.');
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (!begins_as_number || failure != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  }
  return negative ? -number : number;
}

bool is_json_number(std::string_view text) {
  if (text.empty() || text.size() > kNumberBytes || !has_json_form(text)) return false;
  const auto number = parse_number(text);
  return number.has_value() && std::isfinite(*number);
}

boost::json::value number_json(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  // Whole numbers that a double holds exactly are shown without a point.
  constexpr double kExact = 9'007'199'254'740'992.0;
  if (number == std::trunc(number) && std::abs(number) <= kExact) return static_cast<std::int64_t>(number);
  return number;
}

}  // namespace noren::worker::results
