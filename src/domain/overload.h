// domain/overload.h - OverloadGuard: how many requests of one API may be under way before further ones are
// refused. Asked by admission for each request, on the event loop. No clock and no lock in here: time is a
// parameter.
//
// The queue limit is the bound while all is well, so a burst or a closed loop of callers that fits into it
// is never refused. Once somebody had to be refused, the API is over its capacity, and a long queue only
// makes everybody wait: the bound shrinks to what is served within a short time (completion rate x target,
// Little's law), until nobody was refused for a while.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace noren {

struct OverloadInput {
  std::uint32_t under_way_count = 0;  ///< admitted, neither answered nor given up
  std::uint32_t queue_limit_count = 0;
  std::uint32_t running_limit_count = 1;  ///< workers that the API may keep busy
  std::int64_t deadline_ms = 0;
};

class OverloadGuard {
 public:
  static constexpr std::int64_t kTargetWaitMs = 5;
  static constexpr std::int64_t kHoldMs = 1'000;

  bool admits(const OverloadInput& input, MonotonicNs now_ns);
  /// A request ended after it ran; `left_count` are still under way.
  void on_completed(MonotonicNs now_ns);
  /// The first request after none was under way.
  void on_busy(MonotonicNs now_ns);

  /// What the API completes a second while it has work; 0: not known yet.
  double rate_per_s() const { return rate_per_s_; }
  /// Whole seconds until so many requests are served, at least 1.
  std::int32_t retry_after_s(std::uint32_t under_way_count) const;

 private:
  std::uint32_t bound(const OverloadInput& input, MonotonicNs now_ns) const;

  MonotonicNs window_start_ns_ = 0;
  std::uint32_t window_count_ = 0;
  double rate_per_s_ = 0;
  MonotonicNs tight_until_ns_ = 0;
};

}  // namespace noren
