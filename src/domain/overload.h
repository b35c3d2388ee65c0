// domain/overload.h - OverloadGuard: how many requests of one API may be under way before further ones are
// refused. Asked by admission for each request, on the event loop. No clock and no lock in here: time is a
// parameter.
//
// The queue limit is the bound while all is well, so a burst or a closed loop of callers that fits into it
// is never refused. Once somebody had to be refused, the API is over its capacity, and a long queue only
// makes everybody wait: the bound shrinks to what is served within a short time, until nobody was refused for
// a while. That time is counted in the workers' own run times: the rate of completions falls when less is
// admitted (smaller batches) and when refusals take the core, and a bound that follows it down stays down.
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
  static constexpr std::int64_t kTargetRunMs = 4;   ///< of the workers' own time
  static constexpr std::int64_t kTargetWaitMs = 5;  ///< where that is not known yet
  static constexpr std::int64_t kHoldMs = 1'000;

  bool admits(const OverloadInput& input, MonotonicNs now_ns);
  /// A request ended after it ran. `run_ns` is its share of the run in its worker; 0: not known.
  void on_completed(MonotonicNs now_ns, std::int64_t run_ns);
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
  double run_ns_ = 0;  ///< of a request, in a worker; 0: not known
  MonotonicNs tight_until_ns_ = 0;
};

/// RefusalPace: when refusals become a flood. A refusal costs a read and a write, so callers that ask again
/// at once could take all the time that a core has. Up to a thousand a second are answered as they come; of
/// more than that, each is answered too, but after a pause, which is shorter than the Retry-After that it
/// tells. A connection waits meanwhile, and others come the sooner. The pauses end one by one, however many
/// begin together: who is answered asks again, so a burst would come back as a burst for ever.
class RefusalPace {
 public:
  static constexpr std::int64_t kWindowMs = 20;
  static constexpr std::uint32_t kAtOnceCount = 20;  ///< in a window: 1,000 a second
  static constexpr std::int64_t kPauseLeastMs = 100;
  static constexpr std::int64_t kPauseMostMs = 500;
  static constexpr std::int64_t kPausesGapUs = 400;  ///< between the ends of two pauses, up to the longest

  /// One more refusal. When it is to be answered: 0 for at once, else never before the one that was asked for
  /// last.
  MonotonicNs answer_at(MonotonicNs now_ns);

 private:
  MonotonicNs window_start_ns_ = 0;
  MonotonicNs last_end_ns_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace noren
