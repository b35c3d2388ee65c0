#include "domain/instance_plan.h"

#include <algorithm>

#include "domain/dispatch_policy.h"

namespace noren {

std::int64_t start_lead_ms(std::int64_t last_start_ns) {
  constexpr std::int64_t kUnknownMs = 30'000, kLeastMs = 5'000, kMostMs = 600'000;
  if (last_start_ns <= 0) return kUnknownMs;
  // Twice what it took, for a machine that is busier than last time.
  return std::clamp(2 * last_start_ns / 1'000'000 + kLeastMs, kLeastMs, kMostMs);
}

RunPlan plan_run(const Schedule& schedule, WallUs now_us, std::int64_t lead_ms, const RunPlan& before) {
  RunPlan plan;
  plan.next_start_us = schedule.next_start_us(now_us);
  plan.is_open = schedule.runs_at(now_us);
  if (plan.is_open) {
    plan.look_again_us = schedule.next_stop_us(now_us);
    return plan;
  }
  const WallUs ahead_us = plan.next_start_us - lead_ms * 1'000;
  const bool was_started =
      !before.is_open && before.needs_instances && before.next_start_us == plan.next_start_us;
  plan.needs_instances = now_us >= ahead_us || was_started;
  plan.look_again_us = plan.needs_instances ? plan.next_start_us : ahead_us;
  return plan;
}

InstancePlan plan_instances(const InstanceView& view, MonotonicNs now_ns) {
  InstancePlan plan;
  const int live_count = view.loading_count + view.building_count + view.ready_count;
  if (!view.wanted && !view.owes_calls) {
    plan.drain_all = live_count + view.outdated_count > 0;
    return plan;
  }
  // What was taken is still served, by one instance where none is left.
  const int wanted_count = view.wanted ? view.wanted_count : std::min(1, 1 - view.outdated_count);
  // Old ones serve until the new ones can: no request fails by a swap.
  plan.drain_outdated = view.wanted && view.outdated_count > 0 && view.ready_count >= wanted_count;
  if (view.wanted) plan.drain_count = std::max(0, view.ready_count - wanted_count);
  const int missing_count = std::max(0, wanted_count - live_count);
  if (missing_count == 0 || view.failures_count >= kRestartsCount) return plan;
  if (now_ns < view.retry_at_ns)
    plan.look_again_ns = view.retry_at_ns;
  else
    plan.start_count = missing_count;
  return plan;
}

InstanceState describe_instances(const InstanceView& view, MonotonicNs now_ns) {
  const int serving_count = view.ready_count + view.outdated_count;
  if (!view.wanted) {
    const bool is_ending = serving_count + view.draining_count > 0 || view.owes_calls;
    return is_ending ? InstanceState::kStopping : InstanceState::kStopped;
  }
  // Ready ahead of its window it is not running for anybody yet.
  if (serving_count > 0) return view.is_open ? InstanceState::kRunning : InstanceState::kBuilding;
  if (view.failures_count >= kRestartsCount) return InstanceState::kFailed;
  if (view.building_count > 0) return InstanceState::kBuilding;
  if (view.loading_count > 0) return InstanceState::kProvisioning;
  if (view.failures_count > 0 || view.waits_for_room || now_ns < view.retry_at_ns)
    return InstanceState::kRetrying;
  return InstanceState::kSubmitted;
}

}  // namespace noren
