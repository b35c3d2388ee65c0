// domain/instance_plan.h - What to do next about the instances of a dedicated API: desired state + what
// there is → actions. Recomputed by the data plane whenever anything changes; a missed or repeated pass
// does no harm. Pure; any thread.
#pragma once

#include <string>

#include "base/clock.h"
#include "domain/instance_state.h"
#include "domain/schedule.h"

namespace noren {

/// What the clock says about an API.
struct RunPlan {
  bool is_open = true;          ///< within its schedule: calls are taken
  bool needs_instances = true;  ///< open, or about to open
  WallUs next_start_us = 0;     ///< 0: none
  WallUs look_again_us = 0;     ///< when one of the above changes by itself; 0: never
  bool operator==(const RunPlan&) const = default;
};
/// Instances are started `lead_ms` before a window, so that they are Ready at its start. What was started
/// ahead of it `before` stays, whatever the lead is by now.
RunPlan plan_run(const Schedule& schedule, WallUs now_us, std::int64_t lead_ms, const RunPlan& before = {});
/// How long ahead, after what the last start took (0: not known).
std::int64_t start_lead_ms(std::int64_t last_start_ns);

struct InstanceView {
  bool wanted = false;      ///< switched on, published, within its schedule or shortly before
  bool is_open = true;      ///< within its schedule
  bool owes_calls = false;  ///< calls that were taken wait for an instance
  int wanted_count = 1;
  int loading_count = 0;   ///< of the current version: the package is fetched or the process forked
  int building_count = 0;  ///< of the current version: the model is loaded
  int ready_count = 0;     ///< of the current version
  int outdated_count = 0;  ///< that serve an older version
  int draining_count = 0;
  int failures_count = 0;       ///< in a row
  bool waits_for_room = false;  ///< the memory budget has none for what is missing
  MonotonicNs retry_at_ns = 0;  ///< after a failure
};

struct InstancePlan {
  int start_count = 0;
  bool drain_all = false;  ///< the current ones and the outdated
  bool drain_outdated = false;
  int drain_count = 0;            ///< of the ready ones, that are too many
  MonotonicNs look_again_ns = 0;  ///< 0: when something changes
};

InstancePlan plan_instances(const InstanceView& view, MonotonicNs now_ns);

/// The word that callers and the console see.
InstanceState describe_instances(const InstanceView& view, MonotonicNs now_ns);

}  // namespace noren
