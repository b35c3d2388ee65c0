#include "domain/instance_plan.h"

#include <gtest/gtest.h>

#include "domain/dispatch_policy.h"

namespace noren {
namespace {

InstanceView wanted_view(int wanted_count) {
  InstanceView view;
  view.wanted = true;
  view.wanted_count = wanted_count;
  return view;
}

TEST(InstancePlan, StartsWhatIsMissing) {
  InstanceView view = wanted_view(3);
  EXPECT_EQ(plan_instances(view, 0).start_count, 3);
  view.loading_count = 1;
  view.building_count = 1;
  EXPECT_EQ(plan_instances(view, 0).start_count, 1);
  view.ready_count = 1;
  EXPECT_EQ(plan_instances(view, 0).start_count, 0);
  view.wanted_count = 1;  // lowered: what runs goes on
  EXPECT_EQ(plan_instances(view, 0).start_count, 0);
}

TEST(InstancePlan, KeepsOldVersionsUntilTheNewOnesAreReady) {
  InstanceView view = wanted_view(2);
  view.outdated_count = 2;
  EXPECT_EQ(plan_instances(view, 0).start_count, 2);
  EXPECT_FALSE(plan_instances(view, 0).drain_outdated);
  view.building_count = 1;
  view.ready_count = 1;
  EXPECT_FALSE(plan_instances(view, 0).drain_outdated);
  view.building_count = 0;
  view.ready_count = 2;
  EXPECT_TRUE(plan_instances(view, 0).drain_outdated);
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kRunning);
}

TEST(InstancePlan, WaitsAfterFailuresAndGivesUp) {
  InstanceView view = wanted_view(1);
  view.failures_count = 2;
  view.retry_at_ns = 100;
  InstancePlan plan = plan_instances(view, 99);
  EXPECT_EQ(plan.start_count, 0);
  EXPECT_EQ(plan.look_again_ns, 100);
  EXPECT_EQ(describe_instances(view, 99), InstanceState::kRetrying);
  EXPECT_EQ(plan_instances(view, 100).start_count, 1);
  view.failures_count = kRestartsCount;
  EXPECT_EQ(plan_instances(view, 100).start_count, 0);
  EXPECT_EQ(describe_instances(view, 100), InstanceState::kFailed);
}

TEST(InstancePlan, StopsWhatIsNotWanted) {
  InstanceView view;
  EXPECT_FALSE(plan_instances(view, 0).drain_all);
  view.building_count = 1;
  EXPECT_TRUE(plan_instances(view, 0).drain_all);
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kStopped);
  view.building_count = 0;
  view.ready_count = 1;
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kStopping);
  view.ready_count = 0;
  view.draining_count = 1;
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kStopping);
  EXPECT_FALSE(plan_instances(view, 0).drain_all);
}

TEST(InstancePlan, HasAWordForEachStep) {
  InstanceView view = wanted_view(1);
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kSubmitted);
  view.loading_count = 1;
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kProvisioning);
  view.building_count = 1;
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kBuilding);
  EXPECT_EQ(instance_state_word(InstanceState::kSubmitted), "submitted");
  EXPECT_EQ(instance_state_word(InstanceState::kTerminated), "terminated");
}

}  // namespace
}  // namespace noren
