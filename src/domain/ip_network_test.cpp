#include "domain/ip_network.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

TEST(IpAddress, ReadsAndWritesBothFamilies) {
  const std::pair<const char*, const char*> kCases[] = {
      {"127.0.0.1", "127.0.0.1"},
      {"255.255.255.255", "255.255.255.255"},
      {"0.0.0.0", "0.0.0.0"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"::ffff:10.1.2.3", "10.1.2.3"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"fe80:0:0:0:0:0:0:0", "fe80::"},
  };
  for (const auto& [text, written] : kCases) {
    const auto address = parse_ip_address(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(format_ip_address(*address), written);
    EXPECT_EQ(*parse_ip_address(format_ip_address(*address)), *address);
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "1.2.3.04",
                           "1.2.3.-4",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           ":",
                           ":::",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7::8",
                           "12345::",
                           "g::",
                           "::-0",
                           "1:-2::3",
                           "::1.2.3",
                           "1.2.3.4::",
                           "fe80::1%eth0",
                           "::/0",
                           "1:2:3:4:5:6:7:"})
    EXPECT_FALSE(parse_ip_address(text).ok()) << text;
}

TEST(IpNetwork, HoldsItsAddresses) {
  const auto in = [](const char* network, const char* address) {
    const auto n = parse_ip_network(network);
    EXPECT_TRUE(n.ok()) << network;
    return contains(*n, *parse_ip_address(address));
  };
  EXPECT_TRUE(in("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(in("10.1.2.128/25", "10.1.2.200"));
  EXPECT_FALSE(in("10.1.2.128/25", "10.1.2.127"));
  EXPECT_TRUE(in("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(in("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(in("0.0.0.0/0", "200.1.1.1"));
  EXPECT_FALSE(in("0.0.0.0/0", "::1"));
  EXPECT_TRUE(in("::/0", "200.1.1.1"));
  EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
  for (const char* text :
       {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "/8", "10.0.0.0/8x", "10.0.0.0/08"})
    EXPECT_FALSE(parse_ip_network(text).ok()) << text;
}

}  // namespace
}  // namespace noren
