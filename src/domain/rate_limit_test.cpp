#include "domain/rate_limit.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

int taken(RateLimit& limit, std::int64_t per_s, int asked_count, MonotonicNs now_ns) {
  int count = 0;
  for (int i = 0; i < asked_count; ++i) {
    if (!limit.admits(per_s, now_ns)) continue;
    limit.take();
    ++count;
  }
  return count;
}

TEST(RateLimit, LetsASecondsWorthThroughAtOnceAndNoMore) {
  RateLimit limit;
  MonotonicNs now = 7 * kSecondNs;
  EXPECT_EQ(taken(limit, 10, 50, now), 10);
  EXPECT_EQ(taken(limit, 10, 50, now + kSecondNs / 10 - 1'000), 0);
  EXPECT_EQ(taken(limit, 10, 50, now + kSecondNs / 10), 1);
  EXPECT_EQ(taken(limit, 10, 50, now + 100 * kSecondNs), 10);  // what is not used is not kept
}

TEST(RateLimit, HoldsTheRateOverALongTime) {
  for (const std::int64_t per_s : {1, 3, 250, 10'000}) {
    RateLimit limit;
    std::int64_t count = 0;
    for (std::int64_t ms = 0; ms < 60'000; ++ms)
      count += taken(limit, per_s, 3 * static_cast<int>(per_s / 1'000 + 1), kSecondNs + ms * 1'000'000);
    EXPECT_NEAR(static_cast<double>(count), 61.0 * static_cast<double>(per_s),
                2.0 + static_cast<double>(per_s) / 500)
        << per_s;
  }
}

TEST(RateLimit, AskingTakesNothing) {
  RateLimit limit;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limit.admits(1, kSecondNs));
  limit.take();
  EXPECT_FALSE(limit.admits(1, kSecondNs));
}

TEST(RateLimit, AChangedLimitBeginsAnew) {
  RateLimit limit;
  EXPECT_EQ(taken(limit, 2, 9, kSecondNs), 2);
  EXPECT_EQ(taken(limit, 5, 9, kSecondNs), 5);
  EXPECT_EQ(taken(limit, 1, 9, kSecondNs), 1);
  EXPECT_FALSE(limit.admits(1, kSecondNs / 2));  // a clock that went back
}

}  // namespace
}  // namespace noren
