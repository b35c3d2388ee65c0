// domain/ip_network.h - Addresses and networks of IPv4 and IPv6, as allow lists use them.
// Plain data and comparisons; parsing is strict ("10.0.0.0/8", "2001:db8::/32", a plain address). Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace noren {

/// An address in 16 bytes; IPv4 stands as ::ffff:a.b.c.d, so that both compare alike.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const IpAddress&) const = default;
};

struct IpNetwork {
  IpAddress address;
  int prefix_bits = 128;  ///< of the 16 bytes: an IPv4 /8 is 104
};

Result<IpAddress> parse_ip_address(std::string_view text);
Result<IpNetwork> parse_ip_network(std::string_view text);
std::string format_ip_address(const IpAddress& address);
bool contains(const IpNetwork& network, const IpAddress& address);

}  // namespace noren
