#include "server/data_plane/usage_counters.h"

#include <filesystem>
#include <fstream>
#include <map>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/check.h"

namespace noren::server {
namespace {

constexpr WallUs kDayUs = 86'400'000'000;

class UsageCountersTest : public ::testing::Test {
 protected:
  UsageCountersTest() {
    char folder[] = "/tmp/noren-usage-XXXXXX";
    CHECK(::mkdtemp(folder) != nullptr);
    folder_ = folder;
    file_ = folder_ + "/usage.counters";
  }
  ~UsageCountersTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<UsageCounters> open() {
    auto counters = UsageCounters::open(file_, clock_);
    EXPECT_TRUE(counters.ok()) << describe(counters.error());
    return std::move(counters).value();
  }
  /// Runs `work` in a process that never ends in order.
  template <typename Work>
  void in_killed_process(const Work& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto counters = UsageCounters::open(file_, clock_);
      if (counters.ok()) work(**counters);
      ::kill(::getpid(), SIGKILL);
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  static std::map<std::pair<std::uint32_t, std::int32_t>, std::uint64_t> successes(
      const std::vector<UsageRow>& rows) {
    std::map<std::pair<std::uint32_t, std::int32_t>, std::uint64_t> result;
    for (const UsageRow& row : rows) result[{row.api_number, row.utc_day}] = row.successes();
    return result;
  }

  std::string folder_;
  std::string file_;
  ManualClock clock_{100 * kDayUs + 5};
};

TEST_F(UsageCountersTest, CountsByApiDayAndClass) {
  const auto counters = open();
  for (int i = 0; i < 3; ++i) counters->add(1, UsageClass::kSuccess);
  counters->add(1, UsageClass::kTimeout);
  counters->add(4'000'000'000, UsageClass::kSuccess);
  clock_.set_wall_us(101 * kDayUs);
  counters->add(1, UsageClass::kSuccess);
  const auto rows = counters->all_rows();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(successes(rows),
            (decltype(successes(rows)){{{1, 100}, 3}, {{1, 101}, 1}, {{4'000'000'000, 100}, 1}}));
  for (const UsageRow& row : rows)
    EXPECT_EQ(row.counts[static_cast<int>(UsageClass::kTimeout)],
              row.api_number == 1 && row.utc_day == 100 ? 1U : 0U);
}

TEST_F(UsageCountersTest, WhatHasBegunIsInNoRowUntilItIsKept) {
  const auto counters = open();
  counters->add(1, UsageClass::kSuccess);
  const std::int32_t day = counters->begin_success(1);
  EXPECT_EQ(counters->begin_success(1), day);
  EXPECT_EQ(successes(counters->take_changed_rows()), (decltype(successes({})){{{1, 100}, 1}}));
  clock_.set_wall_us(101 * kDayUs);  // a caller that reads slowly, past midnight
  counters->add(1, UsageClass::kSuccess);
  EXPECT_EQ(successes(counters->take_changed_rows()), (decltype(successes({})){{{1, 101}, 1}}));
  counters->keep_success(1, day);
  counters->drop_success(1, day);
  EXPECT_EQ(successes(counters->take_changed_rows()), (decltype(successes({})){{{1, 100}, 2}}));
  EXPECT_EQ(successes(counters->all_rows()), (decltype(successes({})){{{1, 100}, 2}, {{1, 101}, 1}}));
}

TEST_F(UsageCountersTest, WhatHasBegunIsCountedByAProcessThatIsKilled) {
  in_killed_process([](UsageCounters& counters) { counters.begin_success(1); });
  EXPECT_EQ(successes(open()->all_rows()), (decltype(successes({})){{{1, 100}, 1}}));
}

TEST_F(UsageCountersTest, GoesOnWhereItStopped) {
  std::string id;
  {
    const auto counters = open();
    id = counters->server_id();
    EXPECT_EQ(id.size(), 32U);
    counters->add(7, UsageClass::kSuccess);
    counters->set_free_permits(7, {40, 0});
  }
  const auto counters = open();
  EXPECT_EQ(counters->server_id(), id);
  counters->add(7, UsageClass::kSuccess);
  EXPECT_EQ(successes(counters->all_rows()).at({7, 100}), 2U);
  EXPECT_EQ(counters->free_permits(7).in_hand_count, 40U);
  EXPECT_TRUE(counters->in_doubt().empty());
}

TEST_F(UsageCountersTest, LosesNothingWhenKilled) {
  for (int round = 1; round <= 5; ++round) {
    in_killed_process([](UsageCounters& counters) {
      for (std::uint32_t api = 0; api < 100; ++api)
        for (std::uint32_t i = 0; i <= api; ++i) counters.add(api, UsageClass::kSuccess);
    });
    const auto rows = successes(open()->all_rows());
    ASSERT_EQ(rows.size(), 100U);
    for (std::uint32_t api = 0; api < 100; ++api)
      EXPECT_EQ(rows.at({api, 100}), static_cast<std::uint64_t>(round) * (api + 1));
  }
}

TEST_F(UsageCountersTest, AProcessKilledAtAnyMomentLeavesWholeCounts) {
  // The child tells how far it came through shared memory: first the count, then this.
  auto* const told = static_cast<volatile std::uint64_t*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(told, MAP_FAILED);
  std::uint64_t before = 0;
  for (int round = 0; round < 10; ++round) {
    *told = 0;
    const pid_t child = ::fork();
    if (child == 0) {
      auto counters = UsageCounters::open(file_, clock_);
      if (!counters.ok()) ::_exit(1);
      for (;;) {
        UsageCounters::FreePermits permits = (*counters)->free_permits(9);
        permits.in_hand_count += 1;
        (*counters)->set_free_permits(9, permits);
        permits.in_hand_count -= 1;
        permits.in_flight_count += 1;
        (*counters)->set_free_permits(9, permits);
        (*counters)->add(9, UsageClass::kSuccess);
        permits.in_flight_count -= 1;
        (*counters)->set_free_permits(9, permits);
        *told = *told + 1;
      }
    }
    while (*told < 1'000) ::usleep(100);
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const auto counters = open();
    const std::uint64_t count = successes(counters->all_rows()).at({9, 100}) - before;
    before += count;
    EXPECT_GE(count, *told);
    EXPECT_LE(count, *told + 1);
    // What was in flight is in doubt, once, and never more than was.
    std::uint32_t doubtful = 0;
    for (const auto& each : counters->in_doubt()) doubtful += each.permits_count;
    EXPECT_LE(doubtful, 1U);
    EXPECT_EQ(counters->free_permits(9).in_flight_count, 0U);
    EXPECT_LE(counters->free_permits(9).in_hand_count, 1U);
    counters->set_free_permits(9, {0, 0});
  }
  ::munmap(const_cast<std::uint64_t*>(told), 4096);
}

TEST_F(UsageCountersTest, PermitsInFlightAreInDoubtAfterACrashAndReportedOnce) {
  in_killed_process([](UsageCounters& counters) {
    counters.set_free_permits(3, {60, 4});
    counters.set_free_permits(4, {9, 0});
  });
  {
    const auto counters = open();
    ASSERT_EQ(counters->in_doubt().size(), 1U);
    EXPECT_EQ(counters->in_doubt()[0].api_number, 3U);
    EXPECT_EQ(counters->in_doubt()[0].permits_count, 4U);
    EXPECT_EQ(counters->free_permits(3).in_hand_count, 60U);
    EXPECT_EQ(counters->free_permits(3).in_flight_count, 0U);
    EXPECT_EQ(counters->free_permits(4).in_hand_count, 9U);
  }
  EXPECT_TRUE(open()->in_doubt().empty());
}

TEST_F(UsageCountersTest, AfterALostMachineWhatWasInHandIsInDoubtToo) {
  in_killed_process([](UsageCounters& counters) { counters.set_free_permits(3, {60, 4}); });
  {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8 + 4 + 4 + 32 + 8);  // the id of the machine's run
    file.write("another-boot", 12);
  }
  const auto counters = open();
  ASSERT_EQ(counters->in_doubt().size(), 1U);
  EXPECT_EQ(counters->in_doubt()[0].permits_count, 64U);
  EXPECT_EQ(counters->free_permits(3).in_hand_count, 0U);
}

TEST_F(UsageCountersTest, HandsChangedRowsOutAndAllOfThemAfterAStart) {
  {
    const auto counters = open();
    counters->add(1, UsageClass::kSuccess);
    counters->add(2, UsageClass::kSuccess);
    EXPECT_EQ(counters->take_changed_rows().size(), 2U);
    EXPECT_TRUE(counters->take_changed_rows().empty());
    counters->add(2, UsageClass::kSuccess);
    const auto rows = counters->take_changed_rows();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].successes(), 2U);
    // A row that changed just before midnight is not forgotten.
    counters->add(2, UsageClass::kSuccess);
    clock_.set_wall_us(101 * kDayUs);
    counters->add(2, UsageClass::kSuccess);
    EXPECT_EQ(counters->take_changed_rows().size(), 2U);
  }
  EXPECT_EQ(open()->take_changed_rows().size(), 3U);
}

TEST_F(UsageCountersTest, StoredDaysThatAreOverFreeTheirPlace) {
  const auto counters = open();
  // Far more than one segment holds, day after day: the file stays small.
  for (int day = 200; day < 230; ++day) {
    clock_.set_wall_us(day * kDayUs);
    for (std::uint32_t api = 0; api < 2'000; ++api) counters->add(api, UsageClass::kSuccess);
    counters->on_stored(counters->take_changed_rows());
  }
  EXPECT_LT(std::filesystem::file_size(file_), 2'000'000U);
  EXPECT_EQ(counters->all_rows().size(), 2'000U * 2);  // today's and yesterday's
  // What changed since it was handed out stays.
  const auto rows = counters->all_rows();
  counters->add(0, UsageClass::kSuccess);
  clock_.set_wall_us(232 * kDayUs);
  counters->on_stored(rows);
  ASSERT_EQ(counters->all_rows().size(), 1U);
  EXPECT_EQ(counters->all_rows()[0].successes(), 2U);
}

TEST_F(UsageCountersTest, GrowsAndIsReadBack) {
  {
    const auto counters = open();
    for (std::uint32_t api = 0; api < 50'000; ++api) counters->add(api, UsageClass::kSuccess);
  }
  EXPECT_EQ(open()->all_rows().size(), 50'000U);
}

TEST_F(UsageCountersTest, PutsADamagedFileAside) {
  std::string id = open()->server_id();
  for (const char* damage : {"short", "magic", "check"}) {
    const std::string kind = damage;
    if (kind == "short") std::filesystem::resize_file(file_, 100);
    if (kind != "short") {
      std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(kind == "magic" ? 0 : 20);
      file.write("#", 1);
    }
    const std::string new_id = open()->server_id();
    EXPECT_NE(new_id, id) << damage;
    EXPECT_TRUE(std::filesystem::exists(file_ + ".damaged"));
    id = new_id;
  }
}

TEST_F(UsageCountersTest, SaysWhyItCannotOpen) {
  const auto missing = UsageCounters::open(folder_ + "/no/such/place", clock_);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().text.find("/no/such/place"), std::string::npos);
}

}  // namespace
}  // namespace noren::server
