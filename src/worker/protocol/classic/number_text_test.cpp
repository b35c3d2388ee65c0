#include "worker/protocol/classic/number_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

namespace noren::worker {
namespace {

std::string text_of_double(double value) {
  char text[kNumberTextBytes];
  return {text, write_double(text, value)};
}

TEST(NumberText, IsPythonsRepr) {
  std::ifstream table(std::string(NOREN_SOURCE_DIR) + "/tests/data/numbers/repr.tsv");
  std::string bits, expected;
  int lines_count = 0;
  while (table >> bits >> expected) {
    EXPECT_EQ(text_of_double(std::bit_cast<double>(std::stoull(bits, nullptr, 16))), expected);
    ++lines_count;
  }
  EXPECT_GT(lines_count, 1500);
}

TEST(NumberText, NotANumber) {
  EXPECT_EQ(text_of_double(std::nan("")), "nan");
  EXPECT_EQ(text_of_double(-std::nan("")), "nan");
}

/// Digits of a text, without sign, point, exponent and the zeros around them.
std::string digits_of(const std::string& text) {
  std::string digits;
  for (const char c : text.substr(0, text.find('e')))
    if (c >= '0' && c <= '9') digits += c;
  digits.erase(0, digits.find_first_not_of('0'));
  digits.erase(digits.find_last_not_of('0') + 1);
  return digits;
}

TEST(NumberText, EveryFloatReadsBackAndNoShorterTextWould) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    // Floats of every exponent, each as the double that holds it; and doubles of every exponent.
    const double value = i % 2 == 0
                             ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(random())))
                             : std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = text_of_double(value);
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
    const std::string digits = digits_of(text);
    if (digits.size() < 2) continue;
    char shorter[64];
    std::snprintf(shorter, sizeof shorter, "%.*e", static_cast<int>(digits.size()) - 2, value);
    ASSERT_NE(std::strtod(shorter, nullptr), value) << text << " could be " << shorter;
    const bool has_exponent = text.find('e') != std::string::npos;
    const double size = std::abs(value);
    ASSERT_EQ(has_exponent, size < 1e-4 || size >= 1e16) << text;
    ASSERT_TRUE(has_exponent || text.find('.') != std::string::npos) << text;
  }
}

}  // namespace
}  // namespace noren::worker
