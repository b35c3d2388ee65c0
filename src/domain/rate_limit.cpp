#include "domain/rate_limit.h"

#include <algorithm>

namespace noren {

bool RateLimit::admits(std::int64_t limit_per_s, MonotonicNs now_ns) {
  const auto most = static_cast<double>(limit_per_s);
  if (limit_per_s != limit_per_s_) {
    // A new limit begins with a full bucket: nothing is known of the time before.
    limit_per_s_ = limit_per_s;
    tokens_count_ = most;
  } else {
    const double elapsed_s = static_cast<double>(std::max<MonotonicNs>(0, now_ns - filled_ns_)) / 1e9;
    tokens_count_ = std::min(most, tokens_count_ + elapsed_s * most);
  }
  filled_ns_ = now_ns;
  // What is added up in small steps may miss the whole by a rounding error.
  constexpr double kWholeToken = 1 - 1e-9;
  return tokens_count_ >= kWholeToken;
}

}  // namespace noren
