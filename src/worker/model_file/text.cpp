#include "worker/model_file/text.h"

#include <cstddef>
#include <cstdint>

namespace noren::worker {
namespace {

/// Length of the character at the begin of `text`; 0 where it is no UTF-8.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < count) return 0;
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;  // longer than needed
  if (first == 0xed && byte(1) > 0x9f) return 0;  // half of a surrogate pair
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;  // beyond the last code point
  return count;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t count = character_bytes(text);
    if (count == 0) return false;
    text.remove_prefix(count);
  }
  return true;
}

std::string shown_name(std::string_view name) {
  constexpr std::size_t kShownBytes = 80;
  std::string result;
  while (!name.empty()) {
    const std::size_t count = character_bytes(name);
    if (result.size() + count > kShownBytes) return result + "…";
    const bool printable = count > 1 || (count == 1 && name[0] >= 0x20 && name[0] != 0x7f);
    if (printable) {
      result += name.substr(0, count);
    } else {
      result += '?';
    }
    name.remove_prefix(count == 0 ? 1 : count);
  }
  return result;
}

std::string quoted_name(std::string_view name) { return "'" + shown_name(name) + "'"; }

std::string layer_label(std::string_view name, std::string_view type) {
  return "layer " + quoted_name(name) + " (" + shown_name(type) + ")";
}

}  // namespace noren::worker
