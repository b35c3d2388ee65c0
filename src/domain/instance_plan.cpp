#include "domain/instance_plan.h"

#include <algorithm>

#include "domain/dispatch_policy.h"

namespace noren {

InstancePlan plan_instances(const InstanceView& view, MonotonicNs now_ns) {
  InstancePlan plan;
  if (!view.wanted) {
    plan.drain_all = view.loading_count + view.building_count + view.ready_count + view.outdated_count > 0;
    return plan;
  }
  // Old ones serve until the new ones can: no request fails by a swap.
  plan.drain_outdated = view.outdated_count > 0 && view.ready_count >= view.wanted_count;
  const int live_count = view.loading_count + view.building_count + view.ready_count;
  const int missing_count = std::max(0, view.wanted_count - live_count);
  if (missing_count == 0 || view.failures_count >= kRestartsCount) return plan;
  if (now_ns < view.retry_at_ns)
    plan.look_again_ns = view.retry_at_ns;
  else
    plan.start_count = missing_count;
  return plan;
}

InstanceState describe_instances(const InstanceView& view, MonotonicNs now_ns) {
  if (!view.wanted)
    return view.ready_count + view.outdated_count + view.draining_count > 0 ? InstanceState::kStopping
                                                                            : InstanceState::kStopped;
  if (view.ready_count + view.outdated_count > 0) return InstanceState::kRunning;
  if (view.failures_count >= kRestartsCount) return InstanceState::kFailed;
  if (view.building_count > 0) return InstanceState::kBuilding;
  if (view.loading_count > 0) return InstanceState::kProvisioning;
  if (view.failures_count > 0 || now_ns < view.retry_at_ns) return InstanceState::kRetrying;
  return InstanceState::kSubmitted;
}

}  // namespace noren
