#include "domain/overload.h"

#include <algorithm>
#include <cmath>

namespace noren {
namespace {

constexpr std::int64_t kWindowNs = 20'000'000;
constexpr double kNewWeight = 0.5;
constexpr double kNewRunWeight = 1.0 / 32;
constexpr std::int32_t kRetryAfterMostS = 60;

}  // namespace

bool OverloadGuard::admits(const OverloadInput& input, MonotonicNs now_ns) {
  bool fits = input.under_way_count < bound(input, now_ns);
  if (fits && rate_per_s_ > 0) {
    // Who would wait past the deadline is better refused now.
    const double wait_ms = 1'000.0 * input.under_way_count / rate_per_s_;
    fits = input.under_way_count < input.running_limit_count ||
           wait_ms <= static_cast<double>(input.deadline_ms);
  }
  if (!fits) tight_until_ns_ = now_ns + kHoldMs * 1'000'000;
  return fits;
}

std::uint32_t OverloadGuard::bound(const OverloadInput& input, MonotonicNs now_ns) const {
  if (now_ns >= tight_until_ns_) return input.queue_limit_count;
  const double in_time = run_ns_ > 0
                             ? 1e6 * static_cast<double>(kTargetRunMs) * input.running_limit_count / run_ns_
                             : rate_per_s_ * static_cast<double>(kTargetWaitMs) / 1'000.0;
  // Below two for each worker a worker would run dry between two requests.
  const double least = 2.0 * input.running_limit_count + 2.0;
  return static_cast<std::uint32_t>(std::clamp(in_time, std::min<double>(least, input.queue_limit_count),
                                               static_cast<double>(input.queue_limit_count)));
}

void OverloadGuard::on_busy(MonotonicNs now_ns) {
  window_start_ns_ = now_ns;
  window_count_ = 0;
}

void OverloadGuard::on_completed(MonotonicNs now_ns, std::int64_t run_ns) {
  const auto took_ns = static_cast<double>(run_ns);
  if (run_ns > 0) run_ns_ = run_ns_ == 0 ? took_ns : kNewRunWeight * took_ns + (1 - kNewRunWeight) * run_ns_;
  ++window_count_;
  const std::int64_t elapsed_ns = now_ns - window_start_ns_;
  if (elapsed_ns < kWindowNs) return;
  const double rate = 1e9 * window_count_ / static_cast<double>(elapsed_ns);
  rate_per_s_ = rate_per_s_ == 0 ? rate : kNewWeight * rate + (1 - kNewWeight) * rate_per_s_;
  on_busy(now_ns);
}

std::int32_t OverloadGuard::retry_after_s(std::uint32_t under_way_count) const {
  if (rate_per_s_ <= 0) return 1;
  return static_cast<std::int32_t>(
      std::clamp(std::ceil(under_way_count / rate_per_s_), 1.0, static_cast<double>(kRetryAfterMostS)));
}

MonotonicNs RefusalPace::answer_at(MonotonicNs now_ns) {
  if (now_ns - window_start_ns_ >= kWindowMs * 1'000'000) {
    window_start_ns_ = now_ns;
    count_ = 0;
  }
  if (++count_ <= kAtOnceCount) return 0;
  last_end_ns_ = std::clamp(last_end_ns_ + kPausesGapUs * 1'000, now_ns + kPauseLeastMs * 1'000'000,
                            now_ns + kPauseMostMs * 1'000'000);
  return last_end_ns_;
}

}  // namespace noren
