#include "domain/names.h"

#include <algorithm>
#include <optional>

namespace noren {
namespace {

constexpr std::string_view kRefused = "\\/:*?\"<>|;";
constexpr std::size_t kNameCharacters = 255;

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

/// The next character of UTF-8 text, taken off its front; nothing where the bytes are no UTF-8.
std::optional<char32_t> take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || text.size() < length) return std::nullopt;
  char32_t c = length == 1 ? first : first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    c = c << 6 | (byte & 0x3fU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (c < kLeast[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return std::nullopt;
  text.remove_prefix(length);
  return c;
}

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

Status check_name(std::string_view what, std::string_view name) {
  const std::string subject(what);
  if (name.empty()) return invalid(subject + " must not be empty");
  std::size_t count = 0;
  for (std::string_view rest = name; !rest.empty(); ++count) {
    const std::size_t place = name.size() - rest.size();
    const auto c = take_character(rest);
    if (!c) return invalid(subject + " is not UTF-8 text");
    if (is_control(*c)) return invalid(subject + " must not hold control characters");
    if (*c < 0x80 && kRefused.find(static_cast<char>(*c)) != std::string_view::npos)
      return invalid(subject + " must not hold '" + name[place] + "' (nor any of " + std::string(kRefused) +
                     ")");
  }
  if (count > kNameCharacters) return invalid(subject + " is longer than 255 characters");
  return Ok{};
}

std::string name_from(std::string_view text) {
  std::string name;
  for (std::size_t count = 0; !text.empty() && count < kNameCharacters; ++count) {
    const std::string_view before = text;
    const auto c = take_character(text);
    const bool refused =
        !c || is_control(*c) || (*c < 0x80 && kRefused.find(static_cast<char>(*c)) != std::string_view::npos);
    if (!c) text.remove_prefix(1);
    if (refused)
      name += '_';
    else
      name += before.substr(0, before.size() - text.size());
  }
  return name.empty() ? "model" : name;
}

Status check_api_id(std::string_view id) {
  if (id.empty() || id.size() > 64 || !std::all_of(id.begin(), id.end(), is_id_character))
    return invalid("the id must be 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'");
  return Ok{};
}

Status check_api_key(std::string_view key) {
  const auto printable = [](char c) { return c >= 0x20 && c <= 0x7e; };
  if (key.size() < 16 || key.size() > 128 || !std::all_of(key.begin(), key.end(), printable))
    return invalid("the key must be 16 to 128 printable ASCII characters");
  // HTTP takes blanks off both ends of a header's value: such a key could never be shown.
  if (key.front() == ' ' || key.back() == ' ') return invalid("the key must not begin or end with a blank");
  return Ok{};
}

}  // namespace noren
