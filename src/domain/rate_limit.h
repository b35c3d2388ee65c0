// domain/rate_limit.h - RateLimit: how many requests a second one API takes, as a bucket of tokens. Asked by
// admission for each request, on the event loop. No clock and no lock in here: time is a parameter.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace noren {

/// The bucket holds one second's worth, so a caller that was quiet may send that much at once.
class RateLimit {
 public:
  /// Whether another request fits now. Takes nothing.
  bool admits(std::int64_t limit_per_s, MonotonicNs now_ns);
  /// The request that was admitted is taken.
  void take() { tokens_count_ -= 1; }

 private:
  double tokens_count_ = 0;
  std::int64_t limit_per_s_ = 0;  ///< that the bucket was filled for
  MonotonicNs filled_ns_ = 0;
};

}  // namespace noren
