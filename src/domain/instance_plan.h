// domain/instance_plan.h - What to do next about the instances of a dedicated API: desired state + what
// there is → actions. Recomputed by the data plane whenever anything changes; a missed or repeated pass
// does no harm. Pure; any thread.
#pragma once

#include <string>

#include "base/clock.h"
#include "domain/instance_state.h"

namespace noren {

struct InstanceView {
  bool wanted = false;  ///< switched on, published, within its schedule
  int wanted_count = 1;
  int loading_count = 0;   ///< of the current version: the package is fetched or the process forked
  int building_count = 0;  ///< of the current version: the model is loaded
  int ready_count = 0;     ///< of the current version
  int outdated_count = 0;  ///< that serve an older version
  int draining_count = 0;
  int failures_count = 0;       ///< in a row
  MonotonicNs retry_at_ns = 0;  ///< after a failure
};

struct InstancePlan {
  int start_count = 0;
  bool drain_all = false;  ///< the current ones and the outdated
  bool drain_outdated = false;
  MonotonicNs look_again_ns = 0;  ///< 0: when something changes
};

InstancePlan plan_instances(const InstanceView& view, MonotonicNs now_ns);

/// The word that callers and the console see.
InstanceState describe_instances(const InstanceView& view, MonotonicNs now_ns);

}  // namespace noren
