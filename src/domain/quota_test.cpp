#include "domain/quota.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

TEST(Quota, LeasesShrinkTowardsTheEndAndNeverPassIt) {
  EXPECT_EQ(lease_size(500, 1000), 62);
  EXPECT_EQ(lease_size(100'000, 1000), 64);
  EXPECT_EQ(lease_size(500, 5), 5);
  EXPECT_EQ(lease_size(0, 5), 0);
  EXPECT_EQ(lease_size(-3, 5), 0);
  EXPECT_EQ(lease_size(5, 0), 0);
  std::int64_t left = 500, steps = 0;
  for (; left > 0; ++steps) {
    const std::int64_t size = lease_size(left, 1000);
    ASSERT_GE(size, 1);
    if (left < 40) {
      ASSERT_LE(size, 4);
    }
    left -= size;
  }
  EXPECT_EQ(left, 0);
  EXPECT_LT(steps, 60);
}

TEST(Quota, AMonthBeginsAtMidnightUtc) {
  constexpr WallUs kSecond = 1'000'000;
  EXPECT_EQ(format_utc(month_start_us(1'593'561'599 * kSecond)), "2020-06-01T00:00:00Z");
  EXPECT_EQ(format_utc(month_start_us(1'593'561'600 * kSecond)), "2020-07-01T00:00:00Z");
  EXPECT_EQ(format_utc(month_start_us(1'582'934'400 * kSecond)), "2020-02-01T00:00:00Z");  // 29 February
}

}  // namespace
}  // namespace noren
