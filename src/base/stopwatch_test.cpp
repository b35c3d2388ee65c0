#include "base/stopwatch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

namespace noren {
namespace {

/// Computes until this process has had `duration_ns` of a core.
void compute(std::int64_t duration_ns) {
  const Stopwatch stopwatch;
  volatile double value = 2;
  while (stopwatch.run_ns() < duration_ns) value = std::sqrt(value + 1);
}

constexpr std::int64_t kWorkNs = 100'000'000;

TEST(Stopwatch, WhatOthersTakeOfTheCoreIsNotCounted) {
  const Stopwatch stopwatch;
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    compute(kWorkNs);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(other, nullptr, 0), other);
  EXPECT_GE(system_clock().monotonic_ns() - stopwatch.started_ns(), kWorkNs);
  EXPECT_LT(stopwatch.run_ns(), kWorkNs / 2);
}

TEST(Stopwatch, WhatItComputesItselfIsCounted) {
  const Stopwatch stopwatch;
  compute(kWorkNs);
  EXPECT_GE(stopwatch.run_ns(), kWorkNs);
}

}  // namespace
}  // namespace noren
