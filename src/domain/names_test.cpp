#include "domain/names.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

TEST(Names, AreCheckedAsTheToolDid) {
  EXPECT_TRUE(check_name("name", "tutorial.basics.01_logistic_regression").ok());
  EXPECT_TRUE(check_name("name", "画像分類 その1").ok());
  for (const char c : std::string("\\/:*?\"<>|;"))
    EXPECT_FALSE(check_name("name", std::string("a") + c).ok()) << c;
  for (const char* bad : {"", "a\nb", "a\x7f", "a\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xc2\x85"})
    EXPECT_FALSE(check_name("name", bad).ok()) << bad;
}

TEST(Names, AreCountedInCharacters) {
  std::string name;
  for (int i = 0; i < 255; ++i) name += "名";
  EXPECT_TRUE(check_name("name", name).ok());
  EXPECT_FALSE(check_name("name", name + "x").ok());
}

TEST(Names, AFilesNameBecomesAGoodName) {
  EXPECT_EQ(name_from("iris"), "iris");
  EXPECT_EQ(name_from("a:b?c"), "a_b_c");
  EXPECT_EQ(name_from(""), "model");
  EXPECT_EQ(name_from("名\xff前"), "名_前");
  EXPECT_TRUE(check_name("name", name_from(std::string(1000, 'x'))).ok());
}

TEST(Names, IdsAndKeysHaveTheContractsBounds) {
  EXPECT_TRUE(check_api_id("a").ok());
  EXPECT_TRUE(check_api_id(std::string(64, 'Z')).ok());
  for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("a/b"), std::string("a b")})
    EXPECT_FALSE(check_api_id(bad).ok()) << bad;
  EXPECT_TRUE(check_api_key("6626b3e4-1316-4b").ok());
  EXPECT_TRUE(check_api_key(std::string(128, '~')).ok());
  for (const std::string& bad : {std::string(15, 'a'), std::string(129, 'a'), " " + std::string(20, 'a'),
                                 std::string(20, 'a') + "\x7f", std::string(20, 'a') + "é"}) {
    const Status checked = check_api_key(bad);
    ASSERT_FALSE(checked.ok()) << bad;
    EXPECT_EQ(checked.error().text.find(bad), std::string::npos);
  }
}

}  // namespace
}  // namespace noren
