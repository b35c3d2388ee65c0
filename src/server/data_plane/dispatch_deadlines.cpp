// What dispatch does because time passes: requests expire, overdue and forgotten runs are killed, unused
// workers go.
#include <algorithm>

#include "base/log.h"
#include "server/data_plane/dispatch.h"

namespace noren::server {
namespace {

/// The earlier of two times, where 0 is "never".
MonotonicNs earlier(MonotonicNs a, MonotonicNs b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

CallResult timed_out() {
  CallResult result;
  result.refused = Refused{Refusal::kTimeout, InstanceState::kStopped, 0, 0, {}};
  return result;
}

}  // namespace

void Dispatch::tick() {
  const MonotonicNs now = now_ns();
  graveyard_.clear();
  MonotonicNs next = stop_aged(now);
  // Callers that are answered may publish new work: only what is active now is looked at.
  std::vector<ApiState*> apis;
  for (ApiState& api : active_) apis.push_back(&api);
  for (ApiState* api : apis) {
    next = earlier(next, tick_api(*api, now));
    const bool is_quiet = api->under_way_count() == 0 && api->retry_at_ns <= now &&
                          api->room_retry_at_ns <= now && api->trial == nullptr;
    if (is_quiet && api->AutoHook<ActiveTag>::is_linked()) api->AutoHook<ActiveTag>::unlink();
  }
  retry_starts();
  if (next != 0) wake_at(next);
}

MonotonicNs Dispatch::tick_api(ApiState& api, MonotonicNs now) {
  expire_waiting(api, now);
  MonotonicNs next = api.waiting.empty() ? 0 : api.waiting.front().deadline_ns;
  for (const auto& worker : std::vector<std::shared_ptr<Worker>>(api.workers))
    next = earlier(next, watch_held(*worker, now));
  const bool may_retry = api.retry_at_ns != 0 && api.retry_at_ns <= now;
  if (may_retry) api.retry_at_ns = 0;
  if (may_retry || (api.room_retry_at_ns != 0 && api.room_retry_at_ns <= now)) {
    tend(api);
    serve(api);
  }
  next = earlier(next, watch_token(api, now));
  next = earlier(next, earlier(api.retry_at_ns, api.room_retry_at_ns));
  return earlier(next, watch_trial(api, now));
}

/// Who has waited long enough for a token may do without one.
MonotonicNs Dispatch::watch_token(ApiState& api, MonotonicNs now) {
  if (!api.AutoHook<TokenRingTag>::is_linked()) return 0;
  const MonotonicNs due_ns = api.token_wait_ns + overtake_wait_ns(api.service_ns);
  if (now < due_ns) return due_ns;
  serve(api);
  return api.AutoHook<TokenRingTag>::is_linked() ? now + kTurnMs * 1'000'000 : 0;
}

void Dispatch::expire_waiting(ApiState& api, MonotonicNs now) {
  // Those that were tried before stand in front and are as old or older.
  while (!api.waiting.empty() && api.waiting.front().deadline_ns <= now) {
    Call& call = api.waiting.front();
    unlink_waiting(call);
    finish(call, timed_out());
  }
}

MonotonicNs Dispatch::watch_held(Worker& worker, MonotonicNs now) {
  MonotonicNs next = 0;
  bool must_die = false;
  for (Call& call : worker.held) {
    if (call.deadline_ns <= now) call.overdue = must_die = true;
    if (!call.overdue) next = earlier(next, call.deadline_ns);
    // It is the one that runs: the others came after it, and wait for a run that nobody wants.
    if (call.abandoned_ns == 0 || &call != &worker.held.front()) continue;
    const MonotonicNs grace_ends = call.abandoned_ns + kAbandonedGraceMs * 1'000'000;
    if (grace_ends <= now)
      must_die = true;
    else
      next = earlier(next, grace_ends);
  }
  if (must_die) kill(worker);
  return next;
}

MonotonicNs Dispatch::stop_aged(MonotonicNs now) {
  const std::int64_t age_ns = options_.warm_age_ms * 1'000'000;
  while (!idle_.empty()) {
    Worker& worker = idle_.front();
    if (worker.idle_since_ns + age_ns > now) return worker.idle_since_ns + age_ns;
    kill(worker);
  }
  return 0;
}

}  // namespace noren::server
