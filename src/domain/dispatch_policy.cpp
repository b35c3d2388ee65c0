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

}  // namespace

int credit_window(const CreditInput& input) {
  if (input.service_ns <= 0) return kWindowUnknownCount;
  const std::int64_t ahead_ns = input.batchable ? kAheadBatchableNs : kAheadNs;
  const int most =
      input.batchable ? std::max(kWindowMostCount, 2 * input.batch_limit_count) : kWindowMostCount;
  const int least = input.service_ns < kShortServiceNs ? 2 : 1;
  return static_cast<int>(std::clamp<std::int64_t>(ahead_ns / input.service_ns, least, most));
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
