// A model is replaced while it is called: nobody notices but by better answers.
#include <gtest/gtest.h>

#include "server/data_plane/testing/simulation.h"

namespace noren::server::testing {
namespace {

constexpr std::int64_t kMiB = static_cast<std::int64_t>(limits::kMiB);

PublishedApi version(const PublishedApi& api, int number) {
  PublishedApi next = api;
  next.version_label = std::to_string(number);
  next.package_hash = "hash-" + next.version_label;
  return next;
}

VersionToTry trial_of(const PublishedApi& api) {
  return {api.id, api.version_label, api.package_hash, api.memory_bytes};
}

class VersionTrial : public ::testing::TestWithParam<ExecutionType> {
 protected:
  static PublishedApi api() {
    PublishedApi made = simulated_api("a", 1, GetParam());
    made.instances_count = 2;
    return made;
  }
  static bool is_dedicated() { return GetParam() == ExecutionType::kDedicated; }
  /// Tries the version and waits for the outcome.
  std::optional<Status> tried;
  void try_version(Simulation& simulation, const PublishedApi& next) {
    tried.reset();
    simulation.plane().try_version(trial_of(next), [this](Status status) { tried = std::move(status); });
  }
  static void expect_monotonic(const std::vector<Simulation::Request*>& requests) {
    int newest = 0;
    for (const auto* each : requests) {
      ASSERT_EQ(each->status, 200);
      newest = std::max(newest, std::stoi(each->version));
      EXPECT_EQ(std::stoi(each->version), newest) << "sent later, answered by an older version";
    }
  }
};

TEST_P(VersionTrial, TenSwapsUnderLoadFailNoRequest) {
  Simulation simulation({api()});
  simulation.run_ms(20);
  std::vector<Simulation::Request*> requests;
  const auto load_ms = [&](int duration_ms) {
    for (int ms = 0; ms < duration_ms; ++ms) {
      if (ms % 2 == 0) requests.push_back(&simulation.send("a", "2"));  // half of what two cores can do
      simulation.run_ms(1);
    }
  };
  load_ms(200);
  for (int number = 2; number <= 11; ++number) {
    const PublishedApi next = version(api(), number);
    try_version(simulation, next);
    EXPECT_FALSE(tried.has_value());
    load_ms(60);
    ASSERT_TRUE(tried.has_value());
    ASSERT_TRUE(tried->ok()) << tried->error().text;
    EXPECT_EQ(
        requests.back()->version.empty() ? requests[requests.size() - 9]->version : requests.back()->version,
        std::to_string(number - 1))
        << "what is tried serves nobody yet";
    simulation.apply({next});
    const std::size_t first_after = requests.size();
    load_ms(60);
    EXPECT_EQ(requests[first_after]->version, std::to_string(number)) << "it serves at once";
  }
  simulation.run_ms(100);
  expect_monotonic(requests);
  EXPECT_EQ(simulation.successes(1), requests.size());
  EXPECT_LE(simulation.plane().workers_count(), 2u) << "the old ones are gone";
}

TEST_P(VersionTrial, IsLoadedInTheBackgroundAndOnlyThen) {
  Simulation simulation({api()});
  simulation.send("a", "1");
  simulation.run_ms(20);
  const std::size_t before = simulation.host().specs.size();
  try_version(simulation, version(api(), 2));
  for (std::size_t i = 0; i < simulation.host().specs.size(); ++i) {
    EXPECT_EQ(simulation.host().specs[i].priority, i >= before ? Priority::kIdle : Priority::kNormal);
    EXPECT_EQ(simulation.host().specs[i].try_sample, i >= before);
  }
  EXPECT_EQ(simulation.host().specs.size() - before, is_dedicated() ? 2u : 1u) << "as many as serve";
  EXPECT_EQ(simulation.host().specs.back().version_label, "2");
}

TEST_P(VersionTrial, OneThatFailsChangesNothing) {
  Simulation simulation({api()});
  simulation.run_ms(20);
  ASSERT_EQ(simulation.send("a", "1").status, 0);
  simulation.run_ms(20);
  const std::size_t workers_count = simulation.plane().workers_count();
  simulation.host().load_failure = "executor 'E' fails on a sample request";
  try_version(simulation, version(api(), 2));
  simulation.run_ms(30);
  ASSERT_TRUE(tried.has_value());
  EXPECT_EQ(tried->error().text, simulation.host().load_failure);
  EXPECT_EQ(simulation.plane().workers_count(), workers_count);
  const auto& request = simulation.send("a", "1");
  simulation.run_ms(20);
  EXPECT_EQ(request.version, "1");
  // And the next one may be tried.
  simulation.host().load_failure.clear();
  try_version(simulation, version(api(), 3));
  simulation.run_ms(30);
  ASSERT_TRUE(tried.has_value());
  EXPECT_TRUE(tried->ok());
}

TEST_P(VersionTrial, OneThatIdleCoresDoNotLoadBeginsAnewWithAShareOfThem) {
  Simulation simulation({api()}, {.cores_count = 8});
  simulation.run_ms(20);
  const std::size_t workers_count = simulation.plane().workers_count();
  const std::size_t before = simulation.host().specs.size();
  simulation.host().never_loads = true;
  simulation.host().core_share = 0.4;
  try_version(simulation, version(api(), 2));
  const std::size_t count = simulation.host().specs.size() - before;
  simulation.run_ms(static_cast<int>(limits::kIdleTrialMs) - 1);
  EXPECT_EQ(simulation.host().specs.size(), before + count);
  simulation.run_ms(2);
  simulation.host().never_loads = false;
  ASSERT_EQ(simulation.host().specs.size(), before + 2 * count);
  EXPECT_EQ(simulation.host().specs.back().priority, Priority::kLow);
  simulation.run_ms(20);
  ASSERT_TRUE(tried.has_value());
  EXPECT_TRUE(tried->ok());
  EXPECT_EQ(simulation.plane().workers_count(), workers_count + count) << "those that were late are gone";
  simulation.apply({version(api(), 2)});
  const auto& request = simulation.send("a", "1");
  simulation.run_ms(20);
  EXPECT_EQ(request.version, "2");
}

TEST_P(VersionTrial, OneThatIsSlowByItselfGoesOn) {
  Simulation simulation({api()}, {.cores_count = 8});
  simulation.run_ms(20);
  const std::size_t before = simulation.host().specs.size();
  simulation.host().never_loads = true;
  simulation.host().core_share = 0.9;
  try_version(simulation, version(api(), 2));
  const std::size_t count = simulation.host().specs.size() - before;
  simulation.run_ms(2 * static_cast<int>(limits::kIdleTrialMs) + 1);
  EXPECT_EQ(simulation.host().specs.size(), before + count);
  simulation.host().core_share = 0.4;  // and later the cores are busy
  const int until_noticed_ms = 4 * static_cast<int>(limits::kIdleTrialMs);
  simulation.run_ms(until_noticed_ms);
  EXPECT_EQ(simulation.host().specs.size(), before + 2 * count);
  EXPECT_EQ(simulation.host().specs.back().priority, Priority::kLow);
  simulation.run_ms(static_cast<int>(limits::kVersionTrialMs) - until_noticed_ms);
  EXPECT_FALSE(tried.has_value()) << "the one that began anew has all the time again";
  simulation.host().never_loads = false;
  simulation.run_ms(20);
  ASSERT_TRUE(tried.has_value());
  EXPECT_TRUE(tried->ok());
}

TEST_P(VersionTrial, OneThatNeverLoadsIsGivenUp) {
  Simulation simulation({api()}, {.cores_count = 8});
  simulation.host().never_loads = true;
  try_version(simulation, version(api(), 2));
  simulation.run_ms(1'000);
  EXPECT_FALSE(tried.has_value());
  simulation.run_ms(static_cast<int>(limits::kVersionTrialMs));
  ASSERT_TRUE(tried.has_value());
  EXPECT_EQ(tried->error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(simulation.plane().workers_count(), is_dedicated() ? 2u : 0u);
}

TEST_P(VersionTrial, OnlyOneIsTriedAtATimeAndAPackageThatIsGoneFails) {
  Simulation simulation({api()});
  try_version(simulation, version(api(), 2));
  std::optional<Status> second;
  simulation.plane().try_version(trial_of(version(api(), 3)),
                                 [&](Status status) { second = std::move(status); });
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->error().code, Code::kFailedPrecondition);
  simulation.run_ms(20);
  ASSERT_TRUE(tried->ok());
  simulation.plane().drop_version("a");
  simulation.run_ms(5);
  PublishedApi missing = version(api(), 4);
  missing.package_hash = "missing";
  try_version(simulation, missing);
  simulation.run_ms(5);
  ASSERT_TRUE(tried.has_value());
  EXPECT_FALSE(tried->ok());
  EXPECT_NE(tried->error().text.find("the package is gone"), std::string::npos);
}

TEST_P(VersionTrial, OneThatIsDroppedLeavesTheOldOne) {
  Simulation simulation({api()});
  simulation.send("a", "1");
  simulation.run_ms(20);
  const std::size_t workers_count = simulation.plane().workers_count();
  try_version(simulation, version(api(), 2));
  simulation.run_ms(20);
  ASSERT_TRUE(tried->ok());
  simulation.plane().drop_version("a");
  simulation.run_ms(5);
  EXPECT_EQ(simulation.plane().workers_count(), workers_count);
  const auto& request = simulation.send("a", "1");
  simulation.run_ms(20);
  EXPECT_EQ(request.version, "1");
}

TEST_P(VersionTrial, AnotherCatalogMeanwhileDoesNotDisturbIt) {
  Simulation simulation({api()});
  try_version(simulation, version(api(), 2));
  simulation.run_ms(20);
  ASSERT_TRUE(tried->ok());
  simulation.apply({api(), simulated_api("b", 2)});
  const auto& before = simulation.send("a", "1");
  simulation.run_ms(20);
  EXPECT_EQ(before.version, "1");
  simulation.apply({version(api(), 2), simulated_api("b", 2)});
  const auto& after = simulation.send("a", "1");
  simulation.run_ms(3);
  EXPECT_EQ(after.version, "2");
}

TEST_P(VersionTrial, AWorkerThatDiesBetweenTrialAndSwitchCostsNoRequest) {
  Simulation simulation({api()});
  simulation.send("a", "1");
  simulation.run_ms(20);
  try_version(simulation, version(api(), 2));
  simulation.run_ms(20);
  ASSERT_TRUE(tried->ok());
  simulation.host().crash("2");
  simulation.run_ms(2);
  std::vector<Simulation::Request*> requests = {&simulation.send("a", "1")};
  simulation.apply({version(api(), 2)});
  for (int i = 0; i < 50; ++i) {
    requests.push_back(&simulation.send("a", "1"));
    simulation.run_ms(2);
  }
  simulation.run_ms(20);
  expect_monotonic(requests);
  EXPECT_EQ(requests.front()->version, "1");
  EXPECT_EQ(requests.back()->version, "2");
}

TEST_P(VersionTrial, ADeletedApiEndsItsTrial) {
  Simulation simulation({api()});
  try_version(simulation, version(api(), 2));
  simulation.apply({});
  ASSERT_TRUE(tried.has_value());
  EXPECT_EQ(tried->error().code, Code::kNotFound);
  simulation.run_ms(20);
  EXPECT_EQ(simulation.plane().workers_count(), 0u);
  try_version(simulation, version(api(), 2));
  EXPECT_EQ(tried->error().code, Code::kNotFound);
}

TEST_P(VersionTrial, AnApiThatIsOffIsTriedWithOneWorkerWhichThenGoes) {
  PublishedApi off = api();
  off.enabled = false;
  Simulation simulation({off});
  try_version(simulation, version(off, 2));
  EXPECT_EQ(simulation.host().specs.size(), 1u);
  simulation.run_ms(20);
  ASSERT_TRUE(tried->ok());
  simulation.apply({version(off, 2)});
  simulation.run_ms(5);
  EXPECT_EQ(simulation.plane().workers_count(), 0u);
  simulation.apply({version(api(), 2)});
  simulation.run_ms(20);
  const auto& request = simulation.send("a", "1");
  simulation.run_ms(20);
  EXPECT_EQ(request.version, "2");
}

TEST_P(VersionTrial, BothVersionsMustFitIntoMemory) {
  PublishedApi large = api();
  large.memory_bytes = 100 * kMiB;
  Simulation simulation({large}, {.cores_count = 2, .memory_budget_bytes = 250 * kMiB});
  simulation.host().private_bytes = 100 * kMiB;
  simulation.send("a", "1");
  simulation.run_ms(30);
  try_version(simulation, version(large, 2));
  if (is_dedicated()) {
    // Two serve already: the other two have no room.
    ASSERT_TRUE(tried.has_value());
    EXPECT_EQ(tried->error().code, Code::kExhausted);
    EXPECT_NE(tried->error().text.find("needs 200 MiB, and of the memory budget of 250 MiB only 50 MiB"),
              std::string::npos)
        << tried->error().text;
    const auto& request = simulation.send("a", "1");
    simulation.run_ms(20);
    EXPECT_EQ(request.version, "1");
  } else {
    simulation.run_ms(30);
    ASSERT_TRUE(tried.has_value());
    EXPECT_TRUE(tried->ok());
  }
}

TEST_P(VersionTrial, OneThatTakesMoreThanForeseenAndThanThereIsIsRefused) {
  Simulation simulation({api()}, {.cores_count = 2, .memory_budget_bytes = 100 * kMiB});
  simulation.run_ms(20);
  const auto& busy = simulation.send("a", "500");
  simulation.run_ms(20);
  simulation.host().private_bytes = 95 * kMiB;
  try_version(simulation, version(api(), 2));
  simulation.run_ms(40);
  ASSERT_TRUE(tried.has_value());
  ASSERT_FALSE(tried->ok());
  EXPECT_EQ(tried->error().code, Code::kExhausted);
  simulation.run_ms(1'000);
  EXPECT_EQ(busy.status, 200);
}

INSTANTIATE_TEST_SUITE_P(Types, VersionTrial,
                         ::testing::Values(ExecutionType::kPerRequest, ExecutionType::kDedicated),
                         [](const auto& each) {
                           return each.param == ExecutionType::kPerRequest ? "PerRequest" : "Dedicated";
                         });

}  // namespace
}  // namespace noren::server::testing
