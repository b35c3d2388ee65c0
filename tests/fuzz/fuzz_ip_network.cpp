// Addresses and networks of allow lists, with the C library as judge: what is taken means the same there.
#include <algorithm>

#include <arpa/inet.h>

#include "base/check.h"
#include "domain/ip_network.h"

namespace noren {
namespace {

void check_address(const std::string& text, const IpAddress& address) {
  std::array<std::uint8_t, 16> judged{};
  if (text.find(':') != std::string::npos) {
    CHECK(::inet_pton(AF_INET6, text.c_str(), judged.data()) == 1 && judged == address.bytes);
  } else {
    CHECK(::inet_pton(AF_INET, text.c_str(), judged.data()) == 1);
    CHECK(std::equal(judged.begin(), judged.begin() + 4, address.bytes.begin() + 12));
  }
  const auto again = parse_ip_address(format_ip_address(address));
  CHECK(again.ok() && *again == address);
}

}  // namespace
}  // namespace noren

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto address = parse_ip_address(text);
  if (address.ok()) check_address(text, *address);
  const auto network = parse_ip_network(text);
  CHECK(!address.ok() || network.ok());
  if (!network.ok()) return 0;
  CHECK(network->prefix_bits >= 0 && network->prefix_bits <= 128);
  CHECK(contains(*network, network->address));
  IpAddress other = network->address;
  for (int bit = 0; bit < 128; ++bit) {
    other.bytes[static_cast<std::size_t>(bit / 8)] ^= static_cast<std::uint8_t>(0x80 >> (bit % 8));
    CHECK(contains(*network, other) == (bit >= network->prefix_bits));
    other = network->address;
  }
  return 0;
}
