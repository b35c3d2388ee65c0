// What dispatch promises about time, death and room, on a clock that stands still.
#include <algorithm>

#include <gtest/gtest.h>

#include "domain/dispatch_policy.h"
#include "server/data_plane/testing/simulation.h"

namespace noren::server::testing {
namespace {

constexpr std::int64_t kMiB = static_cast<std::int64_t>(limits::kMiB);
constexpr SimulationOptions kOneCore{.cores_count = 1};

TEST(Dispatch, AQueueExpiresByTimerWhileTheWorkerIsBusy) {
  PublishedApi api = simulated_api("a", 1);
  api.deadline_ms = 1'000;
  Simulation simulation({api}, kOneCore);
  const auto& first = simulation.send("a", "700");
  std::vector<Simulation::Request*> others;
  others.reserve(8);
  for (int i = 0; i < 8; ++i) others.push_back(&simulation.send("a", "700"));
  simulation.run_ms(1'100);
  EXPECT_EQ(first.status, 200);
  for (const auto* each : others) {
    EXPECT_EQ(each->status, 504);
    EXPECT_NEAR(each->took_ms(), 1'000, 2);
  }
  // The one that ran at its deadline was ended, and the API serves on.
  EXPECT_EQ(simulation.host().killed_count, 1);
  const auto& next = simulation.send("a", "1");
  simulation.run_ms(50);
  EXPECT_EQ(next.status, 200);
  EXPECT_EQ(simulation.successes(1), 2u);
}

TEST(Dispatch, AnOverdueRunFailsAloneAndWhoWaitedBehindItRunsOnceMore) {
  PublishedApi api = simulated_api("a", 1);
  api.deadline_ms = 1'000;
  Simulation simulation({api}, kOneCore);
  const auto& overdue = simulation.send("a", "hang");
  simulation.run_ms(500);
  const auto& behind = simulation.send("a", "2");
  simulation.run_ms(600);
  EXPECT_EQ(overdue.status, 504);
  EXPECT_NEAR(overdue.took_ms(), 1'000, 2);
  EXPECT_EQ(behind.status, 200);
  EXPECT_EQ(simulation.successes(1), 1u);
}

TEST(Dispatch, ADyingWorkerTakesNoInnocentRequestWithIt) {
  Simulation simulation({simulated_api("a", 1)}, kOneCore);
  const auto& warm = simulation.send("a", "1");
  simulation.run_ms(20);
  ASSERT_EQ(warm.status, 200);
  std::vector<Simulation::Request*> innocents;
  innocents.push_back(&simulation.send("a", "3"));
  const auto& guilty = simulation.send("a", "die");
  for (int i = 0; i < 4; ++i) innocents.push_back(&simulation.send("a", "3"));
  simulation.run_ms(400);
  EXPECT_EQ(guilty.status, 500);
  for (const auto* each : innocents) EXPECT_EQ(each->status, 200);
  EXPECT_EQ(std::ranges::count(simulation.host().bodies, "die"), 2) << "it was tried once more";
  EXPECT_EQ(simulation.successes(1), 6u);
}

TEST(Dispatch, WhatDiedByChanceIsAnsweredTheSecondTime) {
  Simulation simulation({simulated_api("a", 1)}, kOneCore);
  simulation.host().dies_once = true;
  const auto& request = simulation.send("a", "dieonce");
  simulation.run_ms(100);
  EXPECT_EQ(request.status, 200);
  EXPECT_EQ(simulation.successes(1), 1u);
}

TEST(Dispatch, WhoHangsUpFreesItsSlot) {
  Simulation simulation({simulated_api("a", 1)}, {.cores_count = 1, .workers_per_api_count = 1});
  auto& running = simulation.send("a", "hang");
  std::vector<Simulation::Request*> waiting;
  waiting.reserve(6);
  for (int i = 0; i < 6; ++i) waiting.push_back(&simulation.send("a", "7"));
  simulation.run_ms(20);
  for (auto* each : waiting) each->hang_up();
  const auto& behind = simulation.send("a", "1");
  simulation.run_ms(20);
  EXPECT_LE(simulation.plane().calls_count(), 2u + 1u)
      << "one that its worker holds is dropped by the worker";
  running.hang_up();
  simulation.run_ms(kAbandonedGraceMs + 50);
  EXPECT_EQ(behind.status, 200) << "a run that nobody waits for holds up who does";
  EXPECT_EQ(std::ranges::count(simulation.host().bodies, "7"), 0);
  EXPECT_EQ(simulation.host().killed_count, 1);
  EXPECT_EQ(simulation.plane().calls_count(), 0u);
}

TEST(Dispatch, AFullQueueRefusesAtOnceAndSaysWhenToComeBack) {
  PublishedApi api = simulated_api("a", 1);
  api.queue_limit_count = 16;
  Simulation simulation({api}, kOneCore);
  int refused_count = 0;
  for (int i = 0; i < 40; ++i) {
    const auto& request = simulation.send("a", "10");
    if (request.status == 0) continue;
    EXPECT_EQ(request.status, 429);
    EXPECT_GE(request.retry_after_s, 1);
    ++refused_count;
  }
  EXPECT_EQ(refused_count, 24);
  simulation.run_ms(300);
  EXPECT_EQ(simulation.successes(1), 16u);
}

TEST(Dispatch, WhatImportForesawIsChargedBeforeAWorkerSaysWhatItTakes) {
  PublishedApi one = simulated_api("a", 1), two = simulated_api("b", 2);
  one.memory_bytes = two.memory_bytes = 100 * kMiB;
  Simulation simulation({one, two}, {.cores_count = 2, .memory_budget_bytes = 150 * kMiB});
  const auto& first = simulation.send("a", "5");
  simulation.run_ms(2);
  const auto& second = simulation.send("b", "5");
  simulation.run_ms(4);
  EXPECT_EQ(simulation.host().specs.size(), 1u) << "both together don't fit";
  simulation.run_ms(60);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(simulation.host().killed_count, 1) << "the unused one gave way";
  EXPECT_EQ(simulation.plane().status("b")->private_bytes, 100 * kMiB);
}

TEST(Dispatch, AHighWaterMarkStaysCharged) {
  PublishedApi one = simulated_api("a", 1), two = simulated_api("b", 2);
  one.memory_bytes = two.memory_bytes = 10 * kMiB;
  Simulation simulation({one, two}, {.cores_count = 2, .memory_budget_bytes = 150 * kMiB});
  simulation.host().private_bytes = 120 * kMiB;  // more than import saw
  simulation.send("a", "5");
  simulation.run_ms(30);
  EXPECT_EQ(simulation.plane().status("a")->private_bytes, 120 * kMiB);
  simulation.host().private_bytes = 60 * kMiB;
  simulation.send("b", "5");
  simulation.run_ms(30);
  EXPECT_EQ(simulation.plane().status("a")->private_bytes, 0) << "it had to go";
  EXPECT_EQ(simulation.plane().status("b")->private_bytes, 60 * kMiB);
}

}  // namespace
}  // namespace noren::server::testing
