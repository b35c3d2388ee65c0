// Dedicated APIs: how many instances there are and should be, what they are called, how long they ran.
#include <algorithm>

#include "base/log.h"
#include "server/data_plane/dispatch.h"

namespace noren::server {

bool Dispatch::is_wanted(const ApiState& api) const {
  return !stopped_ && api.published && api.api->enabled && api.run.needs_instances;
}

void Dispatch::forget_failures(ApiState& api) {
  api.failures_count = api.no_room_count = 0;
  api.retry_at_ns = api.room_retry_at_ns = 0;
}

/// Free memory of the budget, and what workers take that nobody uses.
std::int64_t Dispatch::claimable_bytes() const {
  std::int64_t bytes = options_.memory_budget_bytes - charged_bytes_;
  for (const Worker& worker : idle_) bytes += worker.charged_bytes;
  return std::max<std::int64_t>(bytes, 0);
}

/// What the import foresaw, whatever a large request took of it once: else such a request would be the
/// model's last one.
std::int64_t Dispatch::dedicated_bytes(const ApiState& api) {
  return api.api->memory_bytes > 0 ? api.api->memory_bytes : kWorkerBaseBytes;
}

bool Dispatch::has_room_for(const ApiState& api) const { return dedicated_bytes(api) <= claimable_bytes(); }

std::string Dispatch::no_room_reason(const ApiState& api) const {
  constexpr auto kMiB = static_cast<std::int64_t>(limits::kMiB);
  const std::string needs = "it needs " + std::to_string((dedicated_bytes(api) + kMiB - 1) / kMiB) + " MiB, ";
  const std::string budget =
      "memory budget of " + std::to_string(options_.memory_budget_bytes / kMiB) + " MiB";
  if (dedicated_bytes(api) > options_.memory_budget_bytes)
    return needs + "which is more than the whole " + budget + ": raise --memory-budget";
  std::int64_t own_bytes = 0;
  bool some_are_ending = false;
  for (const auto& worker : api.workers) {
    if (worker->served_as.type == ExecutionType::kDedicated) own_bytes += worker->charged_bytes;
    some_are_ending = some_are_ending || !worker->is_live();
  }
  const std::string else_helps = dedicated_charged_bytes_ > own_bytes ? "switch another dedicated API off"
                                 : some_are_ending ? "wait until its last instance has ended"
                                 : own_bytes > 0   ? "run fewer instances of this one"
                                                   : "wait until running requests give memory back";
  return needs + "and of the " + budget + " only " + std::to_string(claimable_bytes() / kMiB) +
         " MiB are free: raise --memory-budget, or " + else_helps;
}

/// No failure of the model's: it is tried again for as long as it is wanted, and nothing is evicted for it
/// in vain.
void Dispatch::wait_for_room(ApiState& api) {
  constexpr std::int64_t kLongestMs = 15'000;
  api.failure_reason = no_room_reason(api);
  if (!api.AutoHook<RoomRingTag>::is_linked()) {
    room_ring_.push_back(api);
    log(LogLevel::kWarning, "instance.no_room", {{"api", api.api->id}, {"reason", api.failure_reason}});
  }
  if (!api.AutoHook<ActiveTag>::is_linked()) active_.push_back(api);
  if (api.room_retry_at_ns <= now_ns()) {
    const std::int64_t delay_ms =
        std::clamp<std::int64_t>(restart_delay_ms(++api.no_room_count), 1'000, kLongestMs);
    api.room_retry_at_ns = now_ns() + delay_ms * 1'000'000;
  }
  wake_at(api.room_retry_at_ns);
}

void Dispatch::stop_waiting_for_room(ApiState& api) {
  api.no_room_count = 0;
  api.room_retry_at_ns = 0;
  if (!api.AutoHook<RoomRingTag>::is_linked()) return;
  api.AutoHook<RoomRingTag>::unlink();
  wake_at(now_ns());  // for what was held back beside it
}

/// Memory that came back goes to these before it goes to further workers of per-request APIs.
void Dispatch::serve_room_ring() {
  std::vector<ApiState*> apis;
  for (ApiState& api : room_ring_) apis.push_back(&api);
  for (ApiState* api : apis)
    if (has_room_for(*api)) tend_dedicated(*api);
}

/// Whether somebody waits for memory that workers of per-request APIs have or could take.
bool Dispatch::keeps_room_free() const {
  return std::any_of(room_ring_.begin(), room_ring_.end(), [this](const ApiState& api) {
    return dedicated_bytes(api) <= options_.memory_budget_bytes - dedicated_charged_bytes_;
  });
}

void Dispatch::start_missing(ApiState& api, const InstanceView& view, int missing_count) {
  for (int i = 0; i < missing_count; ++i) {
    // One that takes the place of an old one may pass the budget until that one is gone: else it never would.
    // One that ran has its place.
    const bool has_place = view.outdated_count > 0 || api.owed_restarts_count > 0;
    if (!has_place && !has_room_for(api)) return wait_for_room(api);
    static_cast<void>(make_room(dedicated_bytes(api)));
    start_worker(api);
  }
  stop_waiting_for_room(api);
}

void Dispatch::tend_dedicated(ApiState& api) {
  const MonotonicNs now = now_ns();
  const InstanceView view = view_of(api);
  const InstancePlan plan = plan_instances(view, now);
  if (plan.drain_all)
    for (const auto& worker : std::vector<std::shared_ptr<Worker>>(api.workers)) drain(*worker);
  if (plan.drain_outdated) drain_outdated(api);
  for (int i = 0; i < plan.drain_count; ++i) drain_least_busy(api);
  // None is missing, or they were given up.
  if (plan.start_count == 0 && plan.look_again_ns == 0) api.owed_restarts_count = 0;
  start_missing(api, view, plan.start_count);
  if (plan.look_again_ns != 0) {
    if (!api.AutoHook<ActiveTag>::is_linked()) active_.push_back(api);
    wake_at(plan.look_again_ns);
  }
  meter(api);
}

/// One of those that are ready, where there are more than wanted.
void Dispatch::drain_least_busy(ApiState& api) {
  Worker* least = nullptr;
  for (const auto& worker : api.workers)
    if (worker->phase == Worker::Phase::kReady && !worker->is_outdated() &&
        (least == nullptr || worker->held_count < least->held_count))
      least = worker.get();
  if (least != nullptr) drain(*least);
}

void Dispatch::meter(const ApiState& api) {
  InstancesServing serving;
  // Beside their successors the old ones are not paid for.
  const int most_count = api.is_dedicated() && is_wanted(api) ? workers_limit(api) : 0;
  for (const auto& worker : api.workers) {
    if (worker->phase != Worker::Phase::kReady || serving.count == most_count) continue;
    if (worker->served_as.type != ExecutionType::kDedicated) continue;  // of before a change of type
    ++serving.count;
    serving.on_gpu = worker->served_as.on_gpu;
  }
  meter_.set(api.api->number, api.api->schedule, serving, parts_.clock.wall_us(), now_ns());
}

InstanceView Dispatch::view_of(const ApiState& api) const {
  InstanceView view;
  view.wanted = is_wanted(api);
  view.is_open = api.run.is_open;
  view.owes_calls = !api.waiting.empty();
  view.wanted_count = workers_limit(api);
  view.failures_count = api.failures_count;
  view.waits_for_room = api.AutoHook<RoomRingTag>::is_linked();
  view.retry_at_ns = api.retry_at_ns;
  for (const auto& worker : api.workers) {
    const bool is_old = worker->is_outdated();
    switch (worker->phase) {
      case Worker::Phase::kFetching: view.loading_count += is_old ? 0 : 1; break;
      case Worker::Phase::kStarting: view.building_count += is_old ? 0 : 1; break;
      case Worker::Phase::kReady: ++(is_old ? view.outdated_count : view.ready_count); break;
      case Worker::Phase::kDraining: ++view.draining_count; break;
      case Worker::Phase::kDying:
      case Worker::Phase::kGone: break;
    }
  }
  return view;
}

/// Why fewer instances are ready than wanted; empty where none is missing.
std::string Dispatch::missing_reason(const ApiState& api, const InstanceView& view) {
  const int ready_count = view.ready_count + view.outdated_count;
  if (!view.wanted || ready_count >= view.wanted_count) return {};
  const bool has_reason = view.waits_for_room || view.failures_count > 0;
  return std::to_string(ready_count) + " of " + std::to_string(view.wanted_count) +
         (ready_count == 1 ? " instances is ready: " : " instances are ready: ") +
         (has_reason ? api.failure_reason : "the others are starting");
}

ApiStatus Dispatch::status_of(const ApiState& api) const {
  ApiStatus status;
  const InstanceView view = view_of(api);
  const MonotonicNs now = now_ns();
  if (api.is_dedicated())
    status.state = describe_instances(view, now);
  else if (!is_wanted(api))
    status.state = InstanceState::kStopped;
  else
    status.state = now < api.retry_at_ns ? InstanceState::kRetrying : InstanceState::kRunning;
  if (status.state == InstanceState::kRetrying || status.state == InstanceState::kFailed)
    status.reason = api.failure_reason;
  else if (status.state == InstanceState::kRunning && api.is_dedicated())
    status.reason = missing_reason(api, view);
  status.ready_count = view.ready_count + view.outdated_count;
  for (const auto& worker : api.workers) status.private_bytes += worker->charged_bytes;
  return status;
}

std::optional<Refused> Dispatch::refusal_of(const ApiState& api, MonotonicNs now) const {
  Refused refused{Refusal::kNotRunning, InstanceState::kStopped, 0, 0, {}};
  constexpr std::int32_t kOffRetryS = 60;
  if (!is_wanted(api) || !api.run.is_open) {
    refused.retry_after_s = kOffRetryS;
    if (!api.published || !api.api->enabled || !api.is_dedicated()) return refused;
    refused.state = describe_instances(view_of(api), now);
    refused.next_start_us = api.run.next_start_us;
    const std::int64_t wait_us = refused.next_start_us - parts_.clock.wall_us();
    constexpr std::int64_t kMostS = 86'400;
    refused.retry_after_s =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(wait_us / 1'000'000 + 1, 1, kMostS));
    return refused;
  }
  const std::int64_t retry_in_ns = std::max(api.retry_at_ns, api.room_retry_at_ns) - now;
  refused.retry_after_s = retry_in_ns > 0 ? static_cast<std::int32_t>(retry_in_ns / 1'000'000'000 + 1) : 1;
  if (api.is_dedicated()) {
    refused.state = describe_instances(view_of(api), now);
    if (refused.state == InstanceState::kFailed) refused.retry_after_s = kOffRetryS;
    if (refused.state != InstanceState::kRunning) return refused;
  } else if (retry_in_ns > 0) {
    refused.state = InstanceState::kRetrying;
    return refused;
  }
  return std::nullopt;
}

}  // namespace noren::server
