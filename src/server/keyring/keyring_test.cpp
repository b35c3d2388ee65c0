#include "server/keyring/keyring.h"

#include <gtest/gtest.h>

namespace noren::server {
namespace {

Keyring make_keyring() {
  auto keyring = Keyring::from_master_key(Keyring::make_master_key());
  EXPECT_TRUE(keyring.ok());
  return *keyring;
}

TEST(Keyring, TheSameMasterKeyGivesTheSameDigests) {
  const Secret master = Keyring::make_master_key();
  const auto one = Keyring::from_master_key(master);
  const auto two = Keyring::from_master_key(master);
  EXPECT_EQ(one->digest_api_key(Secret("k")), two->digest_api_key(Secret("k")));
  EXPECT_EQ(one->fingerprint(), two->fingerprint());
  EXPECT_NE(one->digest_api_key(Secret("k")), one->digest_token(Secret("k")));
  EXPECT_NE(one->fingerprint(), make_keyring().fingerprint());
}

TEST(Keyring, AMasterKeyMustBe64HexDigits) {
  EXPECT_FALSE(Keyring::from_master_key(Secret("abc")).ok());
  EXPECT_FALSE(Keyring::from_master_key(Secret(std::string(64, 'g'))).ok());
  EXPECT_FALSE(Keyring::from_master_key(Secret(std::string(66, 'a'))).ok());
  EXPECT_TRUE(Keyring::from_master_key(Secret(std::string(64, 'a'))).ok());
}

TEST(Keyring, WhatIsSealedOpensForItsPurposeOnly) {
  const Keyring keyring = make_keyring();
  const std::string sealed = keyring.seal("6626b3e4", "key:1");
  EXPECT_EQ(sealed.find("6626b3e4"), std::string::npos);
  EXPECT_NE(sealed, keyring.seal("6626b3e4", "key:1"));
  const auto opened = keyring.open(sealed, "key:1");
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->reveal(), "6626b3e4");
  EXPECT_FALSE(keyring.open(sealed, "key:2").ok());
  EXPECT_FALSE(make_keyring().open(sealed, "key:1").ok());
  std::string changed = sealed;
  changed.back() = changed.back() == '0' ? '1' : '0';
  EXPECT_FALSE(keyring.open(changed, "key:1").ok());
  EXPECT_FALSE(keyring.open("", "key:1").ok());
  EXPECT_FALSE(keyring.open("1:00", "key:1").ok());
}

TEST(Keyring, DigestsGoThroughHex) {
  SecretDigest digest{};
  digest[0] = 0xab;
  digest[31] = 0x01;
  const auto back = digest_from_hex(hex_of_digest(digest));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, digest);
  EXPECT_FALSE(digest_from_hex("ab").ok());
}

}  // namespace
}  // namespace noren::server
