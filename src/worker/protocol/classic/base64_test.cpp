#include "worker/protocol/classic/base64.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace noren::worker {
namespace {

std::string decoded(std::string_view text) {
  Bytes bytes;
  const Status status = decode_base64(text, bytes);
  return status.ok() ? std::string(text_of(bytes)) : "refused";
}

std::string encoded(std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += k > count ? '=' : kAlphabet[group >> (18 - 6 * k) & 63];
  }
  return text;
}

TEST(Base64, Plain) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("TQ=="), "M");
  EXPECT_EQ(decoded("TWE="), "Ma");
  EXPECT_EQ(decoded("TWFu"), "Man");
  EXPECT_EQ(decoded("TWFuTWFuTWE="), "ManManMa");
}

TEST(Base64, WhatClientsReallyWrite) {
  EXPECT_EQ(decoded("TWFu\\nTWE=\\n"), "ManMa");
  EXPECT_EQ(decoded("TWFu\\r\\nTW\\tE=\\r\\n"), "ManMa");
  EXPECT_EQ(decoded("  T W F u\\f"), "Man");
  EXPECT_EQ(decoded("TWE"), "Ma");
  EXPECT_EQ(decoded("TQ"), "M");
  EXPECT_EQ(decoded("TQ===="), "M");
  EXPECT_EQ(decoded("TQ= \\n ="), "M");
  EXPECT_EQ(decoded("-_-_"), decoded("+/+/"));
  EXPECT_EQ(decoded("\\/\\/\\/\\/"), decoded("////"));
  EXPECT_EQ(decoded("\\u002B\\u002b\\u003d"), decoded("++="));
  EXPECT_EQ(decoded("data:image/png;base64,TWFu"), "Man");
  EXPECT_EQ(decoded("data:image\\/png;charset=x;base64,TWFu"), "Man");
}

TEST(Base64, Garbage) {
  for (const char* text :
       {"T", "TWFuT", "TW@u", "TWFu.", "TQ==TQ==", "TQ=a", "TWF\\u00e9", "TWF\\", "TWF\\u12", "TWF\\x",
        "TWFu\\\\", "data:image/png,TWFu", "data:;base64", "\xe7\x94\xbb", "TWF\x01"})
    EXPECT_EQ(decoded(text), "refused") << text;
}

TEST(Base64, RandomBytesComeBackHoweverTheyAreWrapped) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    std::string text;
    for (const char c : encoded(bytes)) {
      text += c;
      if (random() % 20 == 0) text += random() % 2 == 0 ? "\\n" : " ";
    }
    EXPECT_EQ(decoded(encoded(bytes)), bytes);
    EXPECT_EQ(decoded(text), bytes);
  }
}

}  // namespace
}  // namespace noren::worker
