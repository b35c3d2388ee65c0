#include "domain/ip_network.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

namespace noren {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedPrefixBits = 96;

bool is_mapped(const IpAddress& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
}

}  // namespace

Result<IpAddress> parse_ip_address(std::string_view text) {
  const std::string copy(text);  // the parser below wants a final zero
  IpAddress address;
  if (copy.find('.') != std::string::npos && copy.find(':') == std::string::npos) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
    if (inet_pton(AF_INET, copy.c_str(), address.bytes.data() + kMappedPrefix.size()) == 1) return address;
  } else if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) {
    return address;
  }
  return invalid("'" + copy + "' is no IPv4 or IPv6 address");
}

Result<IpNetwork> parse_ip_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  IpNetwork network;
  ASSIGN_OR_RETURN(network.address, parse_ip_address(text.substr(0, slash)));
  const bool is_ipv4 = text.substr(0, slash).find(':') == std::string_view::npos;
  if (slash == std::string_view::npos) return network;
  const std::string_view digits = text.substr(slash + 1);
  int bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const int most = is_ipv4 ? 128 - kMappedPrefixBits : 128;
  if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > most)
    return invalid("'" + std::string(text) + "': the number behind '/' is 0 to " + std::to_string(most));
  network.prefix_bits = is_ipv4 ? bits + kMappedPrefixBits : bits;
  return network;
}

std::string format_ip_address(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_mapped(address))
    inet_ntop(AF_INET, address.bytes.data() + kMappedPrefix.size(), text, sizeof text);
  else
    inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
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
