// domain/dispatch_policy.h - The small decisions of dispatch: how far ahead a worker is fed, when another
// one is started, who gives way for memory, how long to wait after a failure. Pure functions of their
// arguments; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.h"

namespace noren {

/// How many requests a worker may hold. Enough to keep it busy (and to fill its batches) while the next
/// ones travel; few where a request takes long, so that the others stay with the server, which can still
/// drop them or give them to somebody else.
struct CreditInput {
  std::int64_t service_ns = 0;  ///< measured time a request; 0: not known yet
  bool batchable = false;
  int batch_limit_count = 1;
};
int credit_window(const CreditInput& input);

/// How long one API's worker keeps a CPU token while workers of other APIs wait for it.
inline constexpr std::int64_t kTurnMs = 10;

struct OvertakeInput {
  std::int64_t waited_ns = 0;   ///< for a token
  std::int64_t service_ns = 0;  ///< measured time a request of the API; 0: not known yet
  int needed_tokens_count = 1;
  int used_tokens_count = 0;
  int tokens_count = 1;
};
/// How long an API that has no token waits for one before it may do without.
std::int64_t overtake_wait_ns(std::int64_t service_ns);
/// Whether an API runs although all tokens are taken: the runs that have them are so long that it would wait
/// for more than twice its own time. The machine then shares its cores between them for that while. A few
/// may, short ones rather than long ones.
bool may_overtake(const OvertakeInput& input);

struct StartInput {
  int live_count = 0;      ///< workers that start or serve
  int starting_count = 0;  ///< of them
  int limit_count = 1;
  int free_tokens_count = 0;
  std::size_t waiting_count = 0;
  std::int64_t service_ns = 0;
  std::int64_t start_ns = 0;  ///< what the last start took; 0: not known
};
/// Whether a per-request API whose workers can't take any more gets another one.
bool should_start_worker(const StartInput& input);

/// How many of the idle workers, least recently used first, have to go so that `needed_bytes` fit. All of
/// them may not be enough.
std::size_t eviction_count(std::span<const std::int64_t> idle_bytes, std::int64_t used_bytes,
                           std::int64_t needed_bytes, std::int64_t budget_bytes);

/// At once after the first failure, then a second, doubling to a minute. `failures_count` is at least 1.
std::int64_t restart_delay_ms(int failures_count);
/// Consecutive failures after which a dedicated instance is `failed` and left alone.
inline constexpr int kRestartsCount = 6;
/// A worker that served for this long is not part of a series of failures any more.
inline constexpr std::int64_t kStableMs = 60'000;
/// A run that nobody waits for is killed when it goes on for this long, alone.
inline constexpr std::int64_t kAbandonedGraceMs = 500;

/// Free requests that are asked for at once; the quota's side may grant fewer.
inline constexpr std::uint32_t kLeaseWantedCount = 64;
/// Below this many permits in hand the next lease is asked for.
inline constexpr std::uint32_t kLeaseLowCount = 16;

}  // namespace noren
