#include "server/control_plane/jobs/json_text.h"

#include <gtest/gtest.h>

#include <string>

namespace noren::server {
namespace {

TEST(JsonText, IsOneWholeObject) {
  EXPECT_TRUE(is_json_object("{}"));
  EXPECT_TRUE(is_json_object(" {\"a\":[1,-2.5e3,true,null,{\"b\":\"\\u3042\"}]} \n"));
  for (const std::string_view other : {"",           " ",
                                       "[]",         "[{}]",
                                       "1",          "\"{}\"",
                                       "null",       "{",
                                       "{}}",        "{}{}",
                                       "{} x",       "{\"a\":}",
                                       "{\"a\" 1}",  "{a:1}",
                                       "{\"a\":1,}", "{\"a\":NaN}",
                                       "{'a':1}",    "{\"a\":\"\\q\"}",
                                       "{/**/}",     "{\"a\":\"\xff\"}"})
    EXPECT_FALSE(is_json_object(other)) << other;
}

TEST(JsonText, GoesNoDeeperThanTheParserOfAnswers) {
  const auto nested = [](std::size_t count) {
    return "{\"a\":" + std::string(count, '[') + std::string(count, ']') + "}";
  };
  EXPECT_TRUE(is_json_object(nested(31)));
  EXPECT_FALSE(is_json_object(nested(32)));
  EXPECT_FALSE(is_json_object(nested(1'000'000)));
}

}  // namespace
}  // namespace noren::server
