#include "worker/protocol/classic/base64.h"

#include <array>
#include <optional>

namespace noren::worker {
namespace {

constexpr std::uint32_t kBad = 1u << 24;
constexpr std::size_t kPrefixBytes = 256;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Value of a character, moved to its place in a group of four; kBad for all others.
using Table = std::array<std::uint32_t, 256>;
constexpr Table table_of(int place) {
  Table table = {};
  for (std::uint32_t& entry : table) entry = kBad;
  for (std::uint32_t value = 0; value < 64; ++value)
    table[static_cast<std::uint8_t>(kAlphabet[value])] = value << (18 - 6 * place);
  table['-'] = table['+'];
  table['_'] = table['/'];
  return table;
}
constexpr std::array<Table, 4> kTables = {table_of(0), table_of(1), table_of(2), table_of(3)};

bool is_space(std::uint32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// The hex digits of \uXXXX; nothing where they are not four.
std::optional<std::uint32_t> hex_code(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  std::uint32_t code = 0;
  for (const char c : digits.substr(0, 4)) {
    const char low = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      code = code << 4 | static_cast<std::uint32_t>(c - '0');
    } else if (low >= 'a' && low <= 'f') {
      code = code << 4 | static_cast<std::uint32_t>(low - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return code;
}

/// Takes one character off the text, an escape as what it stands for. Anything odd comes back as 0.
std::uint32_t take_character(std::string_view& text) {
  const std::uint32_t c = static_cast<std::uint8_t>(text[0]);
  text.remove_prefix(1);
  if (c != '\\') return c;
  if (text.empty()) return 0;
  const char escape = text[0];
  text.remove_prefix(1);
  switch (escape) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'f': return '\f';
    case '/': return '/';
    case 'u': {
      const std::optional<std::uint32_t> code = hex_code(text);
      text.remove_prefix(code.has_value() ? 4 : 0);
      return code.value_or(0) < 128 ? code.value_or(0) : 0;
    }
    default: return 0;
  }
}

/// Leaves out "data:image/png;base64,". An error for a data URL that is not base64.
Status skip_prefix(std::string_view& text) {
  while (!text.empty() && is_space(static_cast<std::uint8_t>(text[0]))) text.remove_prefix(1);
  if (!text.starts_with("data:")) return Ok{};
  const std::string_view head = text.substr(0, kPrefixBytes);
  const std::size_t comma = head.find(',');
  if (comma == std::string_view::npos || !head.substr(0, comma).ends_with(";base64"))
    return invalid("the data URL is not base64");
  text.remove_prefix(comma + 1);
  return Ok{};
}

/// As many whole groups as stand there without anything in between. Returns where the output goes on.
std::uint8_t* decode_groups(std::string_view& text, std::uint8_t* out) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto* const end = at + text.size();
  while (end - at >= 4) {
    const std::uint32_t group = kTables[0][at[0]] | kTables[1][at[1]] | kTables[2][at[2]] | kTables[3][at[3]];
    if (group >= kBad) break;
    out[0] = static_cast<std::uint8_t>(group >> 16);
    out[1] = static_cast<std::uint8_t>(group >> 8);
    out[2] = static_cast<std::uint8_t>(group);
    at += 4;
    out += 3;
  }
  text.remove_prefix(static_cast<std::size_t>(at - reinterpret_cast<const std::uint8_t*>(text.data())));
  return out;
}

}  // namespace

Status decode_base64(std::string_view json_text, Bytes& out) {
  std::string_view text = json_text;
  TRY(skip_prefix(text));
  out.resize(text.size() / 4 * 3 + 3);
  std::uint8_t* to = out.data();
  std::uint32_t group = 0;
  int in_group = 0;
  bool is_over = false;
  while (!text.empty()) {
    if (in_group == 0 && !is_over) to = decode_groups(text, to);
    if (text.empty()) break;
    const std::uint32_t c = take_character(text);
    if (is_space(c)) continue;
    if (c == '=') {
      is_over = true;
      continue;
    }
    const std::uint32_t value = c < 128 ? kTables[3][c] : kBad;
    if (value >= kBad) return invalid("the data is not base64: it has a character that base64 does not know");
    if (is_over) return invalid("the data is not base64: it goes on behind its padding");
    group = group << 6 | value;
    if (++in_group < 4) continue;
    for (int shift = 16; shift >= 0; shift -= 8) *to++ = static_cast<std::uint8_t>(group >> shift);
    group = 0;
    in_group = 0;
  }
  if (in_group == 1) return invalid("the data is not base64, or was cut: its last group has one character");
  if (in_group >= 2) *to++ = static_cast<std::uint8_t>(group >> (in_group == 2 ? 4 : 10));
  if (in_group == 3) *to++ = static_cast<std::uint8_t>(group >> 2);
  out.resize(static_cast<std::size_t>(to - out.data()));
  return Ok{};
}

}  // namespace noren::worker
