#include "domain/ip_network.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace noren {
namespace {

constexpr std::size_t kGroupsCount = 8;
constexpr int kMappedPrefixBits = 96;
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const IpAddress& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
}

/// A whole text of 1 to `digits_most` digits, without a sign; leading zeros are no number of ours where
/// `base` is 10.
std::optional<int> number_of(std::string_view text, int base, std::size_t digits_most) {
  int value = 0;
  if (text.empty() || text.size() > digits_most || text[0] == '-' ||
      (base == 10 && text.size() > 1 && text[0] == '0'))
    return {};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

std::optional<std::array<std::uint8_t, 4>> ipv4_of(std::string_view text) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t dot = i + 1 < bytes.size() ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return {};
    const auto number = number_of(text.substr(0, dot), 10, 3);
    if (!number || *number > 255) return {};
    bytes[i] = static_cast<std::uint8_t>(*number);
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return bytes;
}

/// The 16-bit groups of one side of a "::"; an IPv4 address may stand last. False: no such text.
bool append_groups(std::string_view text, std::vector<int>& groups) {
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
      const auto ipv4 = ipv4_of(part);
      if (!ipv4) return false;
      groups.push_back((*ipv4)[0] << 8 | (*ipv4)[1]);
      groups.push_back((*ipv4)[2] << 8 | (*ipv4)[3]);
      return true;
    }
    const auto group = number_of(part, 16, 4);
    if (!group) return false;
    groups.push_back(*group);
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
  }
  return true;
}

std::optional<IpAddress> ipv6_of(std::string_view text) {
  std::vector<int> head, tail;
  const std::size_t gap = text.find("::");
  const bool has_gap = gap != std::string_view::npos;
  if (has_gap && text.substr(0, gap).find('.') != std::string_view::npos) return {};  // IPv4 stands last
  if (!append_groups(text.substr(0, gap), head)) return {};
  if (has_gap && !append_groups(text.substr(gap + 2), tail)) return {};
  const std::size_t count = head.size() + tail.size();
  if (has_gap ? count >= kGroupsCount : count != kGroupsCount) return {};
  head.resize(kGroupsCount - tail.size());
  head.insert(head.end(), tail.begin(), tail.end());
  IpAddress address;
  for (std::size_t i = 0; i < kGroupsCount; ++i) {
    address.bytes[2 * i] = static_cast<std::uint8_t>(head[i] >> 8);
    address.bytes[2 * i + 1] = static_cast<std::uint8_t>(head[i]);
  }
  return address;
}

void append_number(std::string& text, unsigned number, int base) {
  char digits[8];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number, base);
  static_cast<void>(error);
  text.append(digits, end);
}

}  // namespace

Result<IpAddress> parse_ip_address(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    if (const auto address = ipv6_of(text)) return *address;
  } else if (const auto ipv4 = ipv4_of(text)) {
    IpAddress address;
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
    std::copy(ipv4->begin(), ipv4->end(), address.bytes.begin() + kMappedPrefix.size());
    return address;
  }
  return invalid("'" + std::string(text) + "' is no IPv4 or IPv6 address");
}

Result<IpNetwork> parse_ip_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  IpNetwork network;
  ASSIGN_OR_RETURN(network.address, parse_ip_address(text.substr(0, slash)));
  if (slash == std::string_view::npos) return network;
  const bool is_ipv4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const int most = is_ipv4 ? 128 - kMappedPrefixBits : 128;
  const auto bits = number_of(text.substr(slash + 1), 10, 3);
  if (!bits || *bits > most)
    return invalid("'" + std::string(text) + "': the number behind '/' is 0 to " + std::to_string(most));
  network.prefix_bits = is_ipv4 ? *bits + kMappedPrefixBits : *bits;
  return network;
}

std::string format_ip_address(const IpAddress& address) {
  std::string text;
  if (is_mapped(address)) {
    for (std::size_t i = kMappedPrefix.size(); i < address.bytes.size(); ++i) {
      if (!text.empty()) text += '.';
      append_number(text, address.bytes[i], 10);
    }
    return text;
  }
  // The longest run of two or more zero groups becomes "::" (RFC 5952).
  std::array<unsigned, kGroupsCount> groups{};
  for (std::size_t i = 0; i < kGroupsCount; ++i)
    groups[i] = static_cast<unsigned>(address.bytes[2 * i] << 8 | address.bytes[2 * i + 1]);
  std::size_t gap = kGroupsCount, gap_count = 1;
  for (std::size_t i = 0; i < kGroupsCount; ++i) {
    std::size_t count = 0;
    while (i + count < kGroupsCount && groups[i + count] == 0) ++count;
    if (count > gap_count) {
      gap = i;
      gap_count = count;
    }
  }
  for (std::size_t i = 0; i < kGroupsCount; ++i) {
    if (i == gap) {
      text += "::";
      i += gap_count - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    append_number(text, groups[i], 16);
  }
  return text;
}

bool contains(const IpNetwork& network, const IpAddress& address) {
  const auto whole = static_cast<std::size_t>(network.prefix_bits / 8);
  if (std::memcmp(network.address.bytes.data(), address.bytes.data(), whole) != 0) return false;
  const int rest = network.prefix_bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((network.address.bytes[whole] ^ address.bytes[whole]) & mask) == 0;
}

}  // namespace noren
