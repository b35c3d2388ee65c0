// One API that is flooded, and another one that is called now and then.
#include <algorithm>

#include <gtest/gtest.h>

#include "server/data_plane/testing/simulation.h"

namespace noren::server::testing {
namespace {

struct Outcome {
  double quiet_p99_ms = 0;
  int quiet_failures_count = 0;
  int flooded_served_count = 0;
  int flooded_refused_count = 0;
  int flooded_other_count = 0;
};

/// API "a" gets four times what the cores can do in runs of `flood_ms`; "b" gets 10 requests a second of 3
/// ms.
Outcome flood(int flood_ms, int cores_count, int seconds_count) {
  Simulation simulation({simulated_api("a", 1), simulated_api("b", 2)}, {.cores_count = cores_count});
  std::vector<Simulation::Request*> flooded, quiet;
  double owed = 0;
  for (int ms = 0; ms < seconds_count * 1'000; ++ms) {
    for (owed += 4.0 * cores_count / flood_ms; owed >= 1; --owed)
      flooded.push_back(&simulation.send("a", std::to_string(flood_ms)));
    if (ms % 100 == 50) quiet.push_back(&simulation.send("b", "3"));
    simulation.run_ms(1);
  }
  Outcome outcome;
  std::vector<double> took_ms;
  for (const auto* each : quiet) {
    if (each->status == 200)
      took_ms.push_back(each->took_ms());
    else
      ++outcome.quiet_failures_count;
  }
  std::ranges::sort(took_ms);
  if (!took_ms.empty()) outcome.quiet_p99_ms = took_ms[took_ms.size() * 99 / 100];
  for (const auto* each : flooded) {
    if (each->status == 200) ++outcome.flooded_served_count;
    if (each->status == 429) ++outcome.flooded_refused_count;
    if (each->status != 200 && each->status != 429 && each->status != 0) ++outcome.flooded_other_count;
  }
  return outcome;
}

TEST(Fairness, AFloodOfShortRunsLeavesOthersTheirTurn) {
  for (const int cores_count : {1, 2}) {
    const Outcome outcome = flood(5, cores_count, 20);
    EXPECT_EQ(outcome.quiet_failures_count, 0);
    EXPECT_LE(outcome.quiet_p99_ms, 60);
    EXPECT_EQ(outcome.flooded_other_count, 0);
    EXPECT_GT(outcome.flooded_refused_count, 0);
    // What others leave is used.
    EXPECT_GE(outcome.flooded_served_count, 20'000 * cores_count / 5 * 8 / 10);
  }
}

TEST(Fairness, AFloodOfLongRunsDoesNotHoldOthersUpForTheirLength) {
  for (const int cores_count : {1, 2}) {
    const Outcome outcome = flood(2'000, cores_count, 20);
    EXPECT_LE(outcome.quiet_failures_count, 1) << "the last one may still be under way";
    EXPECT_LE(outcome.quiet_p99_ms, 100);
    EXPECT_EQ(outcome.flooded_other_count, 0);
    EXPECT_GE(outcome.flooded_served_count, 20 * cores_count / 2 * 8 / 10 - cores_count);
  }
}

TEST(Fairness, ManyApisWithLongRunsShareTheMachine) {
  std::vector<PublishedApi> apis;
  for (std::uint32_t i = 0; i < 6; ++i) apis.push_back(simulated_api("a" + std::to_string(i), i + 1));
  apis.push_back(simulated_api("b", 7));
  Simulation simulation(apis, {.cores_count = 1});
  std::vector<Simulation::Request*> quiet = {&simulation.send("b", "3")};
  simulation.run_ms(20);  // what its requests take is known
  for (int ms = 0; ms < 10'000; ++ms) {
    if (ms % 500 == 0)
      for (int i = 0; i < 6; ++i) simulation.send("a" + std::to_string(i), "1000");
    if (ms % 100 == 50) quiet.push_back(&simulation.send("b", "3"));
    simulation.run_ms(1);
  }
  simulation.run_ms(500);
  std::vector<double> took_ms;
  for (const auto* each : quiet) {
    EXPECT_EQ(each->status, 200);
    took_ms.push_back(each->took_ms());
  }
  std::ranges::sort(took_ms);
  EXPECT_LE(took_ms[took_ms.size() * 99 / 100], 200);
}

}  // namespace
}  // namespace noren::server::testing
