#include "base/hang_up.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

TEST(HangUp, IsHeardOnceByTheLastWhoListens) {
  HangUp hang_up;
  int first = 0, second = 0;
  hang_up.listen([&first] { ++first; });
  hang_up.listen([&second] { ++second; });
  EXPECT_FALSE(hang_up.is_told());
  hang_up.tell();
  hang_up.tell();
  EXPECT_TRUE(hang_up.is_told());
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST(HangUp, IsHeardAtOnceByWhoListensTooLate) {
  HangUp hang_up;
  hang_up.tell();
  int heard = 0;
  hang_up.listen([&heard] { ++heard; });
  EXPECT_EQ(heard, 1);
  hang_up.tell();
  EXPECT_EQ(heard, 1);
}

TEST(HangUp, MayBeListenedToFromInside) {
  HangUp hang_up;
  bool heard = false;
  hang_up.listen([&] { hang_up.listen([&heard] { heard = true; }); });
  hang_up.tell();
  EXPECT_TRUE(heard);
}

}  // namespace
}  // namespace noren
