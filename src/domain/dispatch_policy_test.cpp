#include "domain/dispatch_policy.h"

#include <vector>

#include <gtest/gtest.h>

namespace noren {
namespace {

TEST(CreditWindow, FeedsShortRequestsAheadAndLongOnesNot) {
  EXPECT_EQ(credit_window({0, false, 1}), 4);
  EXPECT_EQ(credit_window({5'000, false, 1}), 64);
  EXPECT_EQ(credit_window({1'000'000, false, 1}), 2);
  EXPECT_EQ(credit_window({4'000'000, false, 1}), 2);
  EXPECT_EQ(credit_window({35'000'000, false, 1}), 1);
  EXPECT_EQ(credit_window({35'000'000, true, 32}), 1);
  EXPECT_EQ(credit_window({2'000'000, true, 32}), 10);
  EXPECT_EQ(credit_window({70'000, true, 32}), 64);
  for (std::int64_t ns = 1; ns < 100'000'000'000; ns = ns * 3 + 1) {
    const int window = credit_window({ns, ns % 2 == 0, 32});
    EXPECT_GE(window, 1);
    EXPECT_LE(window, 64);
  }
}

TEST(StartWorker, FirstAtOnceFurtherOnesWhenTheyPay) {
  StartInput input;
  input.limit_count = 4;
  input.waiting_count = 1;
  EXPECT_TRUE(should_start_worker(input));
  input.live_count = 1;
  input.free_tokens_count = 2;
  input.service_ns = 1'000'000;
  EXPECT_FALSE(should_start_worker(input)) << "1 ms of work is done before another worker is there";
  input.waiting_count = 100;
  EXPECT_TRUE(should_start_worker(input));
  input.start_ns = 200'000'000;
  EXPECT_FALSE(should_start_worker(input)) << "a slow start pays later";
  input.start_ns = 0;
  input.starting_count = 1;
  EXPECT_FALSE(should_start_worker(input)) << "one after the other";
  input.starting_count = 0;
  input.free_tokens_count = 0;
  EXPECT_FALSE(should_start_worker(input)) << "nothing to run it with";
  input.free_tokens_count = 2;
  input.live_count = 4;
  EXPECT_FALSE(should_start_worker(input));
  EXPECT_FALSE(should_start_worker({0, 0, 1, 1, 0, 0, 0})) << "nobody waits";
}

TEST(Overtake, ComesAfterTwiceTheOwnTimeAndForAFewOnly) {
  constexpr std::int64_t kMs = 1'000'000;
  EXPECT_FALSE(may_overtake({49 * kMs, 3 * kMs, 1, 2, 2}));
  EXPECT_TRUE(may_overtake({50 * kMs, 3 * kMs, 1, 2, 2}));
  EXPECT_TRUE(may_overtake({50 * kMs, 0, 1, 2, 2})) << "what is not known may be short";
  EXPECT_FALSE(may_overtake({50 * kMs, 0, 1, 4, 2})) << "or long";
  EXPECT_FALSE(may_overtake({1'999 * kMs, 1'000 * kMs, 1, 2, 2}));
  EXPECT_TRUE(may_overtake({2'000 * kMs, 1'000 * kMs, 1, 2, 2}));
  EXPECT_TRUE(may_overtake({2'000 * kMs, 1'000 * kMs, 2, 2, 2}));
  EXPECT_FALSE(may_overtake({2'000 * kMs, 1'000 * kMs, 1, 4, 2})) << "long ones double the load at most";
  EXPECT_TRUE(may_overtake({50 * kMs, 3 * kMs, 1, 7, 2}));
  EXPECT_FALSE(may_overtake({50 * kMs, 3 * kMs, 1, 8, 2}));
}

TEST(Eviction, TakesNoMoreThanItMust) {
  const std::vector<std::int64_t> idle = {10, 20, 30};
  EXPECT_EQ(eviction_count(idle, 60, 0, 60), 0U);
  EXPECT_EQ(eviction_count(idle, 60, 1, 60), 1U);
  EXPECT_EQ(eviction_count(idle, 60, 11, 60), 2U);
  EXPECT_EQ(eviction_count(idle, 60, 60, 60), 3U);
  EXPECT_EQ(eviction_count(idle, 60, 600, 60), 3U);
  EXPECT_EQ(eviction_count({}, 100, 1, 60), 0U);
}

TEST(RestartDelay, GrowsToAMinute) {
  EXPECT_EQ(restart_delay_ms(1), 0);
  EXPECT_EQ(restart_delay_ms(2), 1'000);
  EXPECT_EQ(restart_delay_ms(3), 2'000);
  EXPECT_EQ(restart_delay_ms(kRestartsCount), 16'000);
  EXPECT_EQ(restart_delay_ms(1'000), 60'000);
}

}  // namespace
}  // namespace noren
