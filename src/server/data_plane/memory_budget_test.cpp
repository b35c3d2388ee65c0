// Dedicated APIs and the memory budget, on a manual clock: who starts, who waits, and what it says meanwhile.
#include <gtest/gtest.h>

#include "domain/dispatch_policy.h"
#include "server/data_plane/puppet_plane.h"

namespace noren::server {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

DataPlaneOptions budget_of(std::int64_t mebibytes) {
  DataPlaneOptions options;
  options.memory_budget_bytes = mebibytes << 20;
  return options;
}

PublishedApi api_of(const std::string& id, std::int64_t mebibytes,
                    ExecutionType type = ExecutionType::kDedicated) {
  PublishedApi api = PuppetPlane::api(id, type);
  api.memory_bytes = mebibytes << 20;
  return api;
}

TEST(MemoryBudget, OneThatTheBudgetHasNoRoomForWaitsAndSaysWhy) {
  PuppetPlane p(kMonday, budget_of(100));
  const PublishedApi first = api_of("a1", 60);
  PublishedApi second = api_of("a2", 60), small = api_of("a3", 40);
  p.apply({first});
  p.apply({first, second, small});
  ASSERT_EQ(p.host.started_count, 2);
  for (Puppet* each : std::vector<Puppet*>(p.host.live)) each->become_ready();
  EXPECT_EQ(p.state(first), InstanceState::kRunning);
  EXPECT_EQ(p.state(small), InstanceState::kRunning) << "what fits beside it runs";
  EXPECT_EQ(p.state(second), InstanceState::kRetrying);
  const std::string reason = p.plane->status("a2")->reason;
  EXPECT_EQ(reason,
            "it needs 60 MiB, and of the memory budget of 100 MiB only 0 MiB are free: raise "
            "--memory-budget, or switch another dedicated API off");
  const Refused refused = p.refusal(second);
  EXPECT_EQ(refused.state, InstanceState::kRetrying);
  EXPECT_GE(refused.retry_after_s, 1);
  p.advance_to(p.clock.wall_us() + 3'600 * kSecondUs);  // for how long it takes: it never counts as failed
  EXPECT_EQ(p.host.started_count, 2);
  EXPECT_EQ(p.state(second), InstanceState::kRetrying);
  p.apply({second, small});  // the first one is deleted
  p.advance_to(p.clock.wall_us() + 16 * kSecondUs);
  ASSERT_EQ(p.host.started_count, 3);
  p.host.live.back()->become_ready();
  EXPECT_EQ(p.state(second), InstanceState::kRunning);
}

TEST(MemoryBudget, AModelLargerThanTheBudgetNeverStarts) {
  PuppetPlane p(kMonday, budget_of(100));
  PublishedApi api = api_of("a1", 101);
  p.apply({api});
  p.advance_to(kMonday + 60 * kSecondUs);
  EXPECT_EQ(p.host.started_count, 0);
  EXPECT_EQ(p.state(api), InstanceState::kRetrying);
  api.memory_bytes = 100 << 20;
  p.apply({api});
  p.advance_to(kMonday + 90 * kSecondUs);
  EXPECT_EQ(p.host.started_count, 1);
}

TEST(MemoryBudget, UnusedWorkersMakeRoomWhereThatHelpsAndStayWhereItDoesNot) {
  PuppetPlane p(kMonday, budget_of(100));
  const PublishedApi on_demand = api_of("b1", 50, ExecutionType::kPerRequest);
  p.apply({on_demand});
  Caller caller;
  ASSERT_TRUE(p.call(caller, on_demand, "x"));
  p.host.live[0]->become_ready(50 << 20);
  p.host.live[0]->answer_all();
  p.settle();
  p.apply({on_demand, api_of("a1", 101)});
  p.settle();
  EXPECT_EQ(p.host.live.size(), 1U) << "nothing was evicted in vain";
  p.apply({on_demand, api_of("a1", 101), api_of("a2", 90)});
  p.settle();
  ASSERT_EQ(p.host.started_count, 2);
  EXPECT_EQ(p.host.live.size(), 1U) << "the unused worker went";
  EXPECT_EQ(p.host.live[0]->spec.api_id, "a2");
}

TEST(MemoryBudget, ALargeRequestIsNotTheLastOneOfItsModel) {
  PuppetPlane p(kNine, budget_of(512));
  PublishedApi api = api_of("a1", 100);
  api.schedule = *Schedule::of({*parse_window("Mon-Fri 09:00-17:00")});
  p.apply({api});
  p.host.live[0]->become_ready();
  p.host.live[0]->grow_to(600 * kMiB);
  p.host.live[0]->crash();
  p.settle();
  ASSERT_EQ(p.host.live.size(), 1U) << "it comes back at once";
  p.host.live[0]->become_ready();
  p.host.live[0]->grow_to(600 * kMiB);
  p.advance_to(kFive + kSecondUs);
  EXPECT_TRUE(p.host.live.empty());
  p.apply({api, api_of("a2", 400)});  // beside it there is room for what the import foresaw
  ASSERT_EQ(p.host.live.size(), 1U);
  p.advance_to(kNine + 24 * kHourUs, 10'000);
  ASSERT_EQ(p.host.live.size(), 2U);
  EXPECT_EQ(p.host.live[1]->spec.api_id, "a1");
}

TEST(MemoryBudget, OneThatRanComesBackWhoeverTookItsRoom) {
  PuppetPlane p(kMonday, budget_of(100));
  const PublishedApi first = api_of("a1", 60), second = api_of("a2", 60);
  p.apply({first});
  p.apply({first, second});
  p.host.live[0]->crash();
  p.settle();
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->become_ready();
  p.host.live[0]->crash();  // again, and its back-off leaves the room to the other one
  p.settle();
  ASSERT_EQ(p.host.live.size(), 1U);
  EXPECT_EQ(p.host.live[0]->spec.api_id, "a2");
  p.host.live[0]->become_ready();
  p.advance_ms(restart_delay_ms(2));
  ASSERT_EQ(p.host.live.size(), 2U);
  EXPECT_EQ(p.host.live[1]->spec.api_id, "a1");
}

TEST(MemoryBudget, ACrashBesideOneThatWaitsForRoomIsMadeGoodAtOnce) {
  PuppetPlane p(kMonday, budget_of(100));
  PublishedApi api = api_of("a1", 60);
  api.instances_count = 2;
  p.apply({api});
  ASSERT_EQ(p.host.live.size(), 1U);
  p.host.live[0]->become_ready();
  p.advance_to(kMonday + 600 * kSecondUs);
  EXPECT_EQ(p.host.started_count, 1);
  p.host.live[0]->crash();
  p.settle();
  EXPECT_EQ(p.host.live.size(), 1U);
  EXPECT_EQ(p.host.started_count, 2);
}

TEST(MemoryBudget, ARunningApiSaysWhyNotAllOfItsInstancesAre) {
  PuppetPlane p(kMonday, budget_of(100));
  PublishedApi api = api_of("a1", 60);
  api.instances_count = 2;
  p.apply({api});
  const auto status = [&p] { return *p.plane->status("a1"); };
  p.host.live[0]->become_ready();
  EXPECT_EQ(status().state, InstanceState::kRunning);
  EXPECT_EQ(status().ready_count, 1);
  EXPECT_EQ(status().reason,
            "1 of 2 instances is ready: it needs 60 MiB, and of the memory budget of 100 MiB only 40 MiB are "
            "free: raise --memory-budget, or run fewer instances of this one");
  api.memory_bytes = 40 << 20;
  p.apply({api});
  p.advance_to(kMonday + 60 * kSecondUs);
  ASSERT_EQ(p.host.live.size(), 2U);
  EXPECT_EQ(status().reason, "1 of 2 instances is ready: the others are starting");
  p.host.live[1]->fail_to_load("it is not to be");
  p.settle();
  EXPECT_EQ(status().state, InstanceState::kRunning);
  EXPECT_EQ(status().reason, "1 of 2 instances is ready: it is not to be");
  p.advance_ms(restart_delay_ms(2));
  ASSERT_EQ(p.host.live.size(), 2U);
  p.host.live[1]->become_ready();
  EXPECT_EQ(status().ready_count, 2);
  EXPECT_EQ(status().reason, "");
  api.instances_count = 1;
  p.apply({api});
  EXPECT_EQ(status().reason, "");
  api.enabled = false;
  p.apply({api});
  EXPECT_EQ(status().reason, "") << "none is wanted";
}

TEST(MemoryBudget, OneThatWaitsForItsOwnEndSaysSo) {
  PuppetPlane p(kMonday, budget_of(100));
  PublishedApi api = api_of("a1", 60);
  p.apply({api});
  p.host.live[0]->become_ready();
  Caller caller;
  ASSERT_TRUE(p.call(caller, api, "x"));
  api.enabled = false;
  p.apply({api});
  api.enabled = true;
  p.apply({api});
  EXPECT_EQ(p.host.started_count, 1);
  EXPECT_EQ(p.plane->status("a1")->reason,
            "it needs 60 MiB, and of the memory budget of 100 MiB only 40 MiB are free: raise "
            "--memory-budget, or wait until its last instance has ended");
  p.host.live[0]->answer();
  EXPECT_TRUE(caller.is_answered());
  p.settle();
  EXPECT_EQ(p.host.started_count, 2) << "at once";
}

TEST(MemoryBudget, MemoryThatComesBackGoesToThemFirstAndAtOnce) {
  DataPlaneOptions options = budget_of(100);
  options.cpu_tokens_count = 4;
  PuppetPlane p(kMonday, options);
  const PublishedApi on_demand = api_of("b1", 30, ExecutionType::kPerRequest);
  p.apply({on_demand});
  std::vector<Caller> callers(40);
  ASSERT_TRUE(p.call(callers[0], on_demand, "x"));
  ASSERT_EQ(p.host.live.size(), 1U);
  const PublishedApi dedicated = api_of("a1", 80);
  p.apply({on_demand, dedicated});
  EXPECT_NE(p.plane->status("a1")->reason.find("wait until running requests give memory back"),
            std::string::npos);
  p.host.live[0]->become_ready(30 * kMiB);
  p.advance_ms(16'000);
  for (std::size_t i = 1; i < callers.size(); ++i) ASSERT_TRUE(p.call(callers[i], on_demand, "x"));
  p.advance_ms(1'000);
  EXPECT_EQ(p.host.live.size(), 1U) << "no further worker where a dedicated API waits";
  for (int i = 0; i < 40 && !p.host.live.empty() && p.host.started_count == 1; ++i) p.host.live[0]->answer();
  ASSERT_EQ(p.host.started_count, 2) << "without any time between";
  EXPECT_EQ(p.host.live.back()->spec.api_id, "a1");
}

TEST(MemoryBudget, OneThatNoRequestCouldMakeRoomForHoldsNoneUp) {
  DataPlaneOptions options = budget_of(100);
  options.cpu_tokens_count = 4;
  PuppetPlane p(kMonday, options);
  const PublishedApi on_demand = api_of("b1", 10, ExecutionType::kPerRequest);
  p.apply({on_demand, api_of("a1", 60), api_of("a2", 60), api_of("a3", 200)});
  EXPECT_EQ(p.plane->status("a3")->reason,
            "it needs 200 MiB, which is more than the whole memory budget of 100 MiB: raise --memory-budget");
  p.host.live[0]->become_ready();
  std::vector<Caller> callers(40);
  ASSERT_TRUE(p.call(callers[0], on_demand, "x"));
  p.host.live[1]->become_ready(10 * kMiB);
  p.advance_ms(1'000);
  for (std::size_t i = 1; i < callers.size(); ++i) ASSERT_TRUE(p.call(callers[i], on_demand, "x"));
  p.advance_ms(1'000);
  EXPECT_GT(p.host.live.size(), 2U);
  for (Caller& each : callers) p.plane->abandon(each);
}

TEST(MemoryBudget, WhatTakesThePlaceOfAnOldOneIsNotHeldUpByIt) {
  PuppetPlane p(kMonday, budget_of(100));
  PublishedApi api = api_of("a1", 60);
  p.apply({api});
  p.host.live[0]->become_ready();
  api.keep_output_names = true;
  p.apply({api});
  ASSERT_EQ(p.host.live.size(), 2U);
  p.host.live[1]->become_ready();
  p.settle();
  EXPECT_EQ(p.host.live.size(), 1U);
}

}  // namespace
}  // namespace noren::server
