// base/stopwatch.h - What a run takes of a core, whoever else has that core meanwhile. Used by a worker's one
// thread.
#pragma once

#include <algorithm>
#include <ctime>

#include "base/check.h"
#include "base/clock.h"

namespace noren {

/// Threads that compute side by side count once.
class Stopwatch {
 public:
  Stopwatch() : started_ns_(system_clock().monotonic_ns()), processor_started_ns_(processor_ns()) {}
  MonotonicNs started_ns() const { return started_ns_; }
  std::int64_t elapsed_ns() const { return system_clock().monotonic_ns() - started_ns_; }
  std::int64_t run_ns() const { return std::min(elapsed_ns(), processor_ns() - processor_started_ns_); }

 private:
  static std::int64_t processor_ns() {
    timespec now{};
    CHECK(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
  }

  MonotonicNs started_ns_;
  std::int64_t processor_started_ns_;
};

}  // namespace noren
