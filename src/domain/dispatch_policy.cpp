#include "domain/dispatch_policy.h"

#include <algorithm>

namespace noren {
namespace {

constexpr int kWindowUnknownCount = 4;
constexpr int kWindowMostCount = 64;
constexpr std::int64_t kAheadNs = 2'000'000;  // work that waits inside a worker
constexpr std::int64_t kAheadBatchableNs = 20'000'000;
constexpr std::int64_t kShortServiceNs = 5'000'000;  // below this the way to the worker and back shows
constexpr std::int64_t kStartPaysNs = 20'000'000;
constexpr std::int64_t kOvertakeLeastNs = 50'000'000;  // longer than a turn with all that it sent ahead
constexpr int kOvertakeFactor = 2;                     // so many times the tokens, at most
constexpr int kOvertakeShortFactor = 4;

}  // namespace

int credit_window(const CreditInput& input) {
  if (input.service_ns <= 0) return kWindowUnknownCount;
  const std::int64_t ahead_ns = input.batchable ? kAheadBatchableNs : kAheadNs;
  const int most =
      input.batchable ? std::max(kWindowMostCount, 2 * input.batch_limit_count) : kWindowMostCount;
  const int least = input.service_ns < kShortServiceNs ? 2 : 1;
  return static_cast<int>(std::clamp<std::int64_t>(ahead_ns / input.service_ns, least, most));
}

std::int64_t overtake_wait_ns(std::int64_t service_ns) { return std::max(kOvertakeLeastNs, 2 * service_ns); }

bool may_overtake(const OvertakeInput& input) {
  if (input.waited_ns < overtake_wait_ns(input.service_ns)) return false;
  const bool is_short = input.service_ns > 0 && input.service_ns <= kTurnMs * 1'000'000;
  const int limit_count = input.tokens_count * (is_short ? kOvertakeShortFactor : kOvertakeFactor);
  return input.used_tokens_count + input.needed_tokens_count <= limit_count;
}

bool should_start_worker(const StartInput& input) {
  if (input.waiting_count == 0 || input.live_count >= input.limit_count) return false;
  if (input.live_count == 0) return true;
  if (input.starting_count > 0 || input.free_tokens_count <= 0) return false;
  const std::int64_t wait_ns =
      static_cast<std::int64_t>(input.waiting_count) * input.service_ns / input.live_count;
  return wait_ns > std::max(kStartPaysNs, 2 * input.start_ns);
}

std::size_t eviction_count(std::span<const std::int64_t> idle_bytes, std::int64_t used_bytes,
                           std::int64_t needed_bytes, std::int64_t budget_bytes) {
  std::size_t count = 0;
  while (count < idle_bytes.size() && used_bytes + needed_bytes > budget_bytes)
    used_bytes -= idle_bytes[count++];
  return count;
}

std::int64_t restart_delay_ms(int failures_count) {
  if (failures_count <= 1) return 0;
  return std::min<std::int64_t>(std::int64_t{1'000} << std::min(failures_count - 2, 6), 60'000);
}

}  // namespace noren
