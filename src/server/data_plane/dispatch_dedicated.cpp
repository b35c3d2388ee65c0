// Dedicated APIs: how many instances there are and should be, what they are called, how long they ran.
#include <algorithm>

#include "server/data_plane/dispatch.h"

namespace noren::server {

bool Dispatch::is_wanted(const ApiState& api) const {
  return !stopped_ && api.published && api.api->enabled && api.run.needs_instances;
}

void Dispatch::forget_failures(ApiState& api) {
  api.failures_count = 0;
  api.retry_at_ns = 0;
}

void Dispatch::tend_dedicated(ApiState& api) {
  const MonotonicNs now = now_ns();
  const InstancePlan plan = plan_instances(view_of(api), now);
  if (plan.drain_all)
    for (const auto& worker : std::vector<std::shared_ptr<Worker>>(api.workers)) drain(*worker);
  if (plan.drain_outdated) drain_outdated(api);
  for (int i = 0; i < plan.drain_count; ++i) drain_least_busy(api);
  for (int i = 0; i < plan.start_count; ++i) {
    static_cast<void>(make_room(expected_charge(api)));
    start_worker(api);
  }
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
  const std::int64_t retry_in_ns = api.retry_at_ns - now;
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
