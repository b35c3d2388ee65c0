#include "domain/overload.h"

#include <deque>

#include <gtest/gtest.h>

namespace noren {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// One server of a queue: requests take `service_us` each, arrivals come as the test says.
class Queue {
 public:
  Queue(std::int64_t service_us, std::uint32_t limit)
      : service_ns_(service_us * 1'000), input_{0, limit, 1, 30'000} {}

  bool offer(MonotonicNs now) {
    advance(now);
    input_.under_way_count = static_cast<std::uint32_t>(arrivals_.size());
    if (!guard_.admits(input_, now)) return false;
    if (arrivals_.empty()) {
      guard_.on_busy(now);
      next_done_ns_ = now + service_ns_;
    }
    arrivals_.push_back(now);
    return true;
  }
  void advance(MonotonicNs now) {
    while (!arrivals_.empty() && next_done_ns_ <= now) {
      worst_wait_ns = std::max(worst_wait_ns, next_done_ns_ - arrivals_.front());
      arrivals_.pop_front();
      guard_.on_completed(next_done_ns_, 0);
      next_done_ns_ += service_ns_;
      ++done_count;
    }
  }
  const OverloadGuard& guard() const { return guard_; }

  std::int64_t worst_wait_ns = 0;
  int done_count = 0;

 private:
  std::int64_t service_ns_;
  OverloadInput input_;
  OverloadGuard guard_;
  std::deque<MonotonicNs> arrivals_;
  MonotonicNs next_done_ns_ = 0;
};

TEST(OverloadGuard, TakesWhatTheQueueLimitAllows) {
  OverloadGuard guard;
  EXPECT_TRUE(guard.admits({127, 128, 1, 30'000}, 1));
  EXPECT_FALSE(guard.admits({128, 128, 1, 30'000}, 1));
  EXPECT_FALSE(guard.admits({0, 0, 1, 30'000}, 1));
}

TEST(OverloadGuard, NeverRefusesAClosedLoopThatFits) {
  // 128 callers that ask again as soon as they are answered, for five seconds of a LeNet.
  Queue queue(70, 128);
  MonotonicNs now = kMs;
  for (int i = 0; i < 128; ++i) EXPECT_TRUE(queue.offer(now));
  for (; now < 5'000 * kMs; now += 10'000) {
    const int before = queue.done_count;
    queue.advance(now);
    for (int i = before; i < queue.done_count; ++i) ASSERT_TRUE(queue.offer(now));
  }
}

TEST(OverloadGuard, KeepsTheWaitShortAtTwiceTheCapacity) {
  Queue queue(70, 128);
  MonotonicNs now = kMs;
  const auto load = [&](std::int64_t duration_ms, std::int64_t gap_ns) {
    for (const MonotonicNs end = now + duration_ms * kMs; now < end; now += gap_ns) queue.offer(now);
  };
  load(200, 35'000);  // the overload is noticed
  queue.worst_wait_ns = 0;
  queue.done_count = 0;
  load(2'000, 35'000);
  EXPECT_LT(queue.worst_wait_ns, (OverloadGuard::kTargetWaitMs + 1) * kMs);
  EXPECT_GT(queue.done_count, 0.98 * 2e9 / 70'000);
  // A second after the last refusal the whole queue is there again.
  load(2'500, 700'000);
  int taken = 0;
  while (taken < 200 && queue.offer(now)) ++taken;
  EXPECT_GE(taken, 126);
}

TEST(OverloadGuard, LeavesSlowModelsEnoughToDo) {
  Queue queue(35'000, 128);
  MonotonicNs now = kMs;
  for (const MonotonicNs end = now + 60'000 * kMs; now < end; now += 10 * kMs) queue.offer(now);
  EXPECT_GT(queue.done_count, 0.98 * 60e9 / 35e6);
}

TEST(OverloadGuard, RefusesWhoWouldWaitPastTheDeadline) {
  OverloadGuard guard;
  guard.on_busy(0);
  for (int i = 1; i <= 5; ++i) guard.on_completed(i * 1'000 * kMs, 0);  // one a second
  EXPECT_NEAR(guard.rate_per_s(), 1, 0.1);
  EXPECT_TRUE(guard.admits({29, 128, 1, 30'000}, 5'000 * kMs));
  EXPECT_FALSE(guard.admits({40, 128, 1, 30'000}, 5'000 * kMs));
  EXPECT_EQ(guard.retry_after_s(30), 30);
  EXPECT_EQ(guard.retry_after_s(1'000'000), 60);
  EXPECT_EQ(OverloadGuard().retry_after_s(100), 1);
  // A worker that is free takes it whatever is known.
  EXPECT_TRUE(guard.admits({0, 128, 1, 1}, 10'000 * kMs));
}

TEST(Overload, ABoundThatKnowsTheRunTimeDoesNotFollowAFallingRate) {
  constexpr OverloadInput kLimits{0, 1'000, 2, 30'000};
  OverloadGuard guard;
  const auto bound = [&](MonotonicNs now) {
    OverloadInput input = kLimits;
    while (guard.admits(input, now)) ++input.under_way_count;
    return input.under_way_count;
  };
  guard.on_busy(0);
  // Half a millisecond each in the worker, of two workers: 4 ms of their time are 16 requests.
  MonotonicNs now = 0;
  for (int i = 0; i < 1'000; ++i) guard.on_completed(now += kMs / 4, kMs / 2);
  EXPECT_EQ(bound(now), 1'000U) << "nobody was refused before";
  EXPECT_EQ(bound(now), 16U);
  for (int i = 0; i < 100; ++i)
    guard.on_completed(now += 10 * kMs, kMs / 2);  // the core went to somebody else
  EXPECT_LT(guard.rate_per_s(), 110);
  OverloadInput full = kLimits;
  full.under_way_count = 1'000;
  EXPECT_FALSE(guard.admits(full, now));
  EXPECT_EQ(bound(now), 16U);
}

TEST(RefusalPace, AFewAreAnsweredAtOnceAndAFloodWaits) {
  RefusalPace pace;
  MonotonicNs now = 1'000 * kMs;
  for (std::uint32_t i = 0; i < RefusalPace::kAtOnceCount; ++i) EXPECT_EQ(pace.answer_at(now), 0);
  EXPECT_EQ(pace.answer_at(now), now + RefusalPace::kPauseLeastMs * kMs);
  now += (RefusalPace::kWindowMs - 1) * kMs;
  EXPECT_EQ(pace.answer_at(now), now + RefusalPace::kPauseLeastMs * kMs);
  now += kMs;
  EXPECT_EQ(pace.answer_at(now), 0);
}

TEST(RefusalPace, PausesThatBeginTogetherEndOneByOneAndNoneIsTooLong) {
  RefusalPace pace;
  const MonotonicNs now = 1'000 * kMs;
  for (std::uint32_t i = 0; i < RefusalPace::kAtOnceCount; ++i) pace.answer_at(now);
  MonotonicNs last = pace.answer_at(now);
  for (int i = 0; i < 1'000; ++i) {
    const MonotonicNs next = pace.answer_at(now);
    EXPECT_EQ(next - last, RefusalPace::kPausesGapUs * 1'000);
    last = next;
  }
  for (int i = 0; i < 10'000; ++i) last = pace.answer_at(now);
  EXPECT_EQ(last, now + RefusalPace::kPauseMostMs * kMs);
}

}  // namespace
}  // namespace noren
