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
  EXPECT_EQ(plan_instances(view, 0).drain_count, 0);
  view.ready_count = 3;
  view.wanted_count = 1;  // lowered
  EXPECT_EQ(plan_instances(view, 0).start_count, 0);
  EXPECT_EQ(plan_instances(view, 0).drain_count, 2);
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

TEST(InstancePlan, ServesWhatItTookBeforeItStops) {
  InstanceView view;
  view.owes_calls = true;
  EXPECT_EQ(plan_instances(view, 0).start_count, 1);  // the last one died
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kStopping);
  view.outdated_count = 1;  // it can serve them as well
  EXPECT_EQ(plan_instances(view, 0).start_count, 0);
  view.outdated_count = 0;
  view.ready_count = 2;
  EXPECT_EQ(plan_instances(view, 0).start_count, 0);
  EXPECT_FALSE(plan_instances(view, 0).drain_all);
  EXPECT_EQ(plan_instances(view, 0).drain_count, 0);
  view.owes_calls = false;
  EXPECT_TRUE(plan_instances(view, 0).drain_all);
  view = {};
  view.owes_calls = true;
  view.failures_count = kRestartsCount;
  EXPECT_EQ(plan_instances(view, 0).start_count, 0);
}

TEST(InstancePlan, ReadyAheadOfTheWindowIsNotRunning) {
  InstanceView view = wanted_view(1);
  view.is_open = false;
  view.building_count = 1;
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kBuilding);
  view.building_count = 0;
  view.ready_count = 1;
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kBuilding);
  view.is_open = true;
  EXPECT_EQ(describe_instances(view, 0), InstanceState::kRunning);
}

constexpr WallUs kMinuteUs = 60'000'000;
constexpr WallUs kMonday = 1'704'067'200'000'000;  // 2024-01-01

TEST(RunPlan, FollowsTheScheduleWithALead) {
  const Schedule schedule = *Schedule::of({*parse_window("Mon 09:00-17:00")});
  const WallUs start_us = kMonday + 540 * kMinuteUs, stop_us = kMonday + 1'020 * kMinuteUs;
  const WallUs ahead_us = start_us - 20'000'000;
  EXPECT_EQ(plan_run(schedule, kMonday, 20'000), (RunPlan{false, false, start_us, ahead_us}));
  EXPECT_EQ(plan_run(schedule, ahead_us - 1, 20'000), (RunPlan{false, false, start_us, ahead_us}));
  EXPECT_EQ(plan_run(schedule, ahead_us, 20'000), (RunPlan{false, true, start_us, start_us}));
  const WallUs week_us = 10'080 * kMinuteUs;
  EXPECT_EQ(plan_run(schedule, start_us, 20'000), (RunPlan{true, true, start_us + week_us, stop_us}));
  EXPECT_EQ(plan_run(schedule, stop_us, 20'000),
            (RunPlan{false, false, start_us + week_us, ahead_us + week_us}));
  EXPECT_EQ(plan_run({}, kMonday, 20'000), (RunPlan{true, true, 0, 0}));
}

TEST(RunPlan, WhatWasStartedAheadStaysUntilItsWindow) {
  const Schedule schedule = *Schedule::of({*parse_window("Mon 09:00-17:00")});
  const WallUs start_us = kMonday + 540 * kMinuteUs, stop_us = kMonday + 1'020 * kMinuteUs;
  const WallUs now_us = start_us - 20'000'000;
  const RunPlan before = plan_run(schedule, now_us, 30'000);
  EXPECT_EQ(plan_run(schedule, now_us, 5'000, before), (RunPlan{false, true, start_us, start_us}));
  EXPECT_FALSE(plan_run(schedule, now_us, 5'000).needs_instances);
  const RunPlan open = plan_run(schedule, start_us, 5'000, before);
  EXPECT_FALSE(plan_run(schedule, stop_us, 5'000, open).needs_instances);
}

TEST(RunPlan, AGapThatIsShorterThanTheLeadKeepsTheInstances) {
  const Schedule schedule =
      *Schedule::of({*parse_window("Mon 09:00-10:00"), *parse_window("Mon 10:15-11:00")});
  const WallUs gap_us = kMonday + 600 * kMinuteUs;
  EXPECT_EQ(plan_run(schedule, gap_us, 15 * 60'000),
            (RunPlan{false, true, gap_us + 15 * kMinuteUs, gap_us + 15 * kMinuteUs}));
}

TEST(RunPlan, TheLeadGrowsWithWhatAStartTook) {
  EXPECT_EQ(start_lead_ms(0), 30'000);
  EXPECT_EQ(start_lead_ms(1'000'000), 5'002);
  EXPECT_EQ(start_lead_ms(60'000'000'000), 125'000);
  EXPECT_EQ(start_lead_ms(3'600'000'000'000), 600'000);
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
