#include "domain/instance_meter.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace noren {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kHourUs = 3'600 * kSecondUs;
constexpr std::int64_t kDayUs = 24 * kHourUs;
constexpr WallUs kMonday = 1'704'067'200'000'000;  // 2024-01-01

/// A store that replaces the end of a row that it has, as the real one does.
class Rows {
 public:
  void put(const std::vector<InstanceTime>& rows) {
    for (const InstanceTime& row : rows) {
      InstanceTime& own = rows_[{row.slot, row.span.from_us}];
      const WallUs until_us = std::max(own.span.until_us, row.span.until_us);
      own = row;
      own.span.until_us = until_us;
    }
  }
  std::vector<InstanceTime> all() const {
    std::vector<InstanceTime> rows;
    for (const auto& [identity, row] : rows_) rows.push_back(row);
    return rows;
  }
  std::int64_t seconds() const {
    std::int64_t sum = 0;
    for (const auto& [day, seconds] : instance_seconds_by_day(all())) sum += seconds.cpu_s + seconds.gpu_s;
    return sum;
  }

 private:
  std::map<std::pair<int, WallUs>, InstanceTime> rows_;
};

Schedule working_hours() { return *Schedule::of({*parse_window("Mon-Fri 09:00-17:00")}); }

/// Time in seconds from Monday 00:00; both clocks go alike unless a test says otherwise.
struct Metered {
  void set(const Schedule& schedule, int count, std::int64_t at_s, bool on_gpu = false) {
    meter.set(7, schedule, {count, on_gpu}, kMonday + at_s * kSecondUs, at_s * 1'000'000'000);
  }
  void store() {
    const std::vector<InstanceTime> rows = meter.unstored();
    stored.put(rows);
    meter.on_stored(rows);
  }
  void store_next() {
    const std::vector<InstanceTime> rows = meter.next_to_store();
    stored.put(rows);
    meter.on_stored(rows);
  }
  InstanceMeter meter;
  Rows stored;
};

TEST(InstanceMeter, CountsFromReadyToStopped) {
  Metered m;
  m.set({}, 0, 0);
  m.set({}, 1, 100);
  m.set({}, 1, 101);
  EXPECT_EQ(
      m.meter.unstored(),
      (std::vector<InstanceTime>{{7, 0, false, {kMonday + 100 * kSecondUs, kMonday + 101 * kSecondUs}}}));
  m.set({}, 0, 160);
  m.set({}, 0, 500);
  m.store();
  EXPECT_EQ(m.stored.seconds(), 60);
  EXPECT_TRUE(m.meter.unstored().empty());
}

TEST(InstanceMeter, EarlyAndLateIsFreeWheneverItIsLookedAt) {
  for (const bool looks : {false, true}) {
    Metered m;
    m.set(working_hours(), 2, 9 * 3'600 - 20);  // Ready ahead of the window
    if (looks)
      for (std::int64_t at = 9 * 3'600 - 19; at < 17 * 3'600 + 30; at += 7) m.set(working_hours(), 2, at);
    m.set(working_hours(), 0, 17 * 3'600 + 30);  // the pass that saw the end came late
    m.store();
    EXPECT_EQ(m.stored.seconds(), 2 * 8 * 3'600);
    EXPECT_EQ(m.stored.all().size(), 2U);
    EXPECT_EQ(m.stored.all().front().span, (TimeSpan{kMonday + 9 * kHourUs, kMonday + 17 * kHourUs}));
  }
}

TEST(InstanceMeter, OneCallOverManyWindowsCountsEachOfThem) {
  Metered m;
  m.set(working_hours(), 1, 0);
  m.set(working_hours(), 1, 14 * 86'400);
  m.store();
  EXPECT_EQ(m.stored.seconds(), 10 * 8 * 3'600);
  EXPECT_EQ(m.stored.all().size(), 10U);
}

TEST(InstanceMeter, AnInstanceThatIsGoneForAWhileIsNotCountedThen) {
  Metered m;
  m.set({}, 3, 0);
  m.set({}, 1, 10);  // two crashed
  m.set({}, 3, 15);
  m.set({}, 0, 20);
  m.store();
  EXPECT_EQ(m.stored.seconds(), 20 + 15 + 15);
}

TEST(InstanceMeter, TheDevicesArePaidApart) {
  Metered m;
  m.set({}, 1, 0);
  m.set({}, 1, 10, true);
  m.set({}, 0, 25);
  m.store();
  const auto days = instance_seconds_by_day(m.stored.all());
  ASSERT_EQ(days.size(), 1U);
  EXPECT_EQ(days.begin()->first, utc_day(kMonday));
  EXPECT_EQ(days.begin()->second.cpu_s, 10);
  EXPECT_EQ(days.begin()->second.gpu_s, 15);
}

TEST(InstanceMeter, AScheduleThatChangesCountsUntilThenByTheOldOne) {
  Metered m;
  m.set({}, 1, 0);
  m.set({}, 1, 3'600);                    // here it changes
  m.set(working_hours(), 1, 10 * 3'600);  // 09:00 to 10:00
  m.set(working_hours(), 0, 20 * 3'600);
  m.store();
  EXPECT_EQ(m.stored.seconds(), 3'600 + 3'600 + 7 * 3'600);
}

TEST(InstanceMeter, AClockThatJumpsNeitherAddsTimeNorCountsItTwice) {
  InstanceMeter meter;
  Rows stored;
  const auto set = [&](std::int64_t wall_s, std::int64_t monotonic_s) {
    meter.set(7, {}, {1, false}, kMonday + wall_s * kSecondUs, monotonic_s * 1'000'000'000);
  };
  set(0, 0);
  set(10, 10);
  set(3'611, 11);  // set ahead by an hour, or slept
  set(3'621, 21);
  set(30, 30);  // and back again
  set(100, 100);
  set(3'700, 3'700);
  stored.put(meter.unstored());
  EXPECT_EQ(stored.seconds(), 21 + (3'700 - 3'621));
}

TEST(InstanceMeter, RowsThatAreStoredAgainOrNotAtAllChangeNothing) {
  Metered m;
  m.set({}, 1, 0);
  m.set({}, 1, 5);
  const std::vector<InstanceTime> lost = m.meter.unstored();  // the store did not take them
  m.set({}, 1, 8);
  EXPECT_EQ(m.meter.unstored().size(), 1U);
  m.store();
  m.stored.put(lost);
  m.meter.on_stored(lost);
  EXPECT_EQ(m.stored.seconds(), 8);
  m.set({}, 1, 9);
  m.meter.on_stored(lost);  // an old answer does not hide what is newer
  EXPECT_EQ(m.meter.unstored().size(), 1U);
}

TEST(InstanceSeconds, AreCutAtMidnightAndRoundedDownOnceADay) {
  const WallUs midnight = kMonday + kDayUs;
  const auto days = instance_seconds_by_day({{7, 0, false, {midnight - 1'700'000, midnight + 900'000}},
                                             {7, 1, false, {midnight - 1'700'000, midnight + 900'000}}});
  ASSERT_EQ(days.size(), 2U);
  EXPECT_EQ(days.at(utc_day(kMonday)).cpu_s, 3);
  EXPECT_EQ(days.at(utc_day(midnight)).cpu_s, 1);
}

TEST(InstanceSeconds, SeveralServersThatRunTheSameInstanceBillItOnce) {
  const auto row = [](int slot, std::int64_t from_s, std::int64_t until_s) {
    return InstanceTime{7, slot, false, {kMonday + from_s * kSecondUs, kMonday + until_s * kSecondUs}};
  };
  const auto total = [](const std::vector<InstanceTime>& rows) {
    return instance_seconds_by_day(rows).at(utc_day(kMonday)).cpu_s;
  };
  EXPECT_EQ(total({row(0, 0, 100), row(0, 3, 50), row(0, 90, 120), row(0, 130, 140)}), 130);
  EXPECT_EQ(total({row(0, 0, 100), row(1, 0, 100)}), 200);
  EXPECT_EQ(total({row(0, 0, 10), row(0, 10, 20), row(0, 0, 20)}), 20);
}

/// A server's life over three months on a grid of ten seconds: instances come and go, settings change, the
/// process is killed at any moment, the store fails now and then. What is billed is compared with a count of
/// the seconds one by one.
TEST(InstanceMeter, MonthsWithCrashesAreBilledToTheSecond) {
  constexpr std::int64_t kStepS = 10;
  const std::vector<Schedule> schedules = {
      {},
      working_hours(),
      *Schedule::of({*parse_window("Sun-Thu 23:00-24:00"), *parse_window("Mon-Fri 00:00-08:15")}),
      *Schedule::of({*parse_window("Thu 22:45-23:00"), *parse_window("Sat 00:00-24:00")})};
  for (unsigned seed = 1; seed <= 6; ++seed) {
    std::mt19937 random(seed);
    const auto one_in = [&random](unsigned count) { return random() % count == 0; };
    auto meter = std::make_unique<InstanceMeter>();
    Rows stored;
    std::size_t schedule = 0;
    int count = 0;
    // The independent count: what ran since the last moment that the store knows, and before that.
    std::int64_t expected_s = 0, since_stored_s = 0;
    for (std::int64_t now_s = 0; now_s < 91 * 86'400; now_s += kStepS) {
      const WallUs now_us = kMonday + now_s * kSecondUs;
      if (one_in(40'000)) {  // kill -9
        meter = std::make_unique<InstanceMeter>();
        since_stored_s = 0;
        count = 0;
      }
      bool is_said = one_in(6);  // a pass, which in life comes every second
      const std::size_t old_schedule = schedule;
      if (one_in(3'000)) count = static_cast<int>(random() % 4), is_said = true;
      if (one_in(20'000)) schedule = random() % schedules.size(), is_said = true;
      if (is_said) {
        meter->set(7, schedules[old_schedule], {count, false}, now_us, now_s * 1'000'000'000);
        if (!one_in(5)) {
          const auto rows = meter->unstored();
          stored.put(rows);
          if (!one_in(5)) meter->on_stored(rows);  // else the answer was lost
          expected_s += since_stored_s;
          since_stored_s = 0;
        }
      }
      if (schedules[schedule].runs_at(now_us)) since_stored_s += count * kStepS;
    }
    EXPECT_EQ(stored.seconds(), expected_s) << "seed " << seed;
    EXPECT_GT(expected_s, 86'400);
  }
}

TEST(InstanceMeter, AStoreThatTakesNothingCostsNoSecondAndLittleMemory) {
  Metered m;
  std::map<std::int32_t, std::int64_t> expected_s;
  m.set({}, 2, 0);
  m.set({}, 2, 10);
  m.store();  // the last one for long: these rows are in the store, and go on
  m.set({}, 0, 20);
  expected_s[utc_day(kMonday)] = 40;
  std::int64_t now_s = 100;
  for (std::size_t i = 0; i < 2 * limits::kUnstoredTimesCount; ++i, now_s += 7) {
    m.set({}, 2, now_s);
    m.set({}, 0, now_s + 3);
    const WallUs from_us = kMonday + now_s * kSecondUs;
    const WallUs midnight_us = (std::int64_t{utc_day(from_us)} + 1) * kDayUs;
    const std::int64_t before_s = std::min<std::int64_t>(3, (midnight_us - from_us) / kSecondUs);
    expected_s[utc_day(from_us)] += 2 * before_s;
    if (before_s < 3) expected_s[utc_day(midnight_us)] += 2 * (3 - before_s);
    m.meter.on_not_stored(m.meter.next_to_store());
    ASSERT_LE(m.meter.unstored().size(), limits::kUnstoredTimesCount);
  }
  m.set({}, 1, now_s);
  m.meter.on_not_stored(m.meter.next_to_store());
  m.set({}, 1, now_s + 5);
  expected_s[utc_day(kMonday + now_s * kSecondUs)] += 5;
  m.store_next();
  m.store();
  EXPECT_TRUE(m.meter.unstored().empty());
  for (const auto& [day, seconds] : instance_seconds_by_day(m.stored.all()))
    EXPECT_EQ(seconds.cpu_s, expected_s[day]) << day;
}

TEST(InstanceMeter, WhereDaysAreTooManyTheirRowsAreJoinedToo) {
  Metered m;
  std::int64_t expected_s = 0;
  for (std::size_t day = 0; day <= limits::kUnstoredTimesCount; ++day) {
    const std::int64_t from_s = static_cast<std::int64_t>(day) * 86'400;
    m.set({}, 1, from_s);
    m.set({}, 0, from_s + 3'600);
    expected_s += 3'600;
  }
  m.meter.on_not_stored({});
  EXPECT_LE(m.meter.unstored().size(), 1U);
  m.store();
  EXPECT_EQ(m.stored.seconds(), expected_s);
}

TEST(InstanceMeter, WhatWasStoredWithoutAnAnswerIsBilledOnce) {
  Metered m;
  m.set({}, 1, 0);
  m.set({}, 0, 1);
  m.set({}, 1, 1'000);
  m.set({}, 0, 1'001);
  const std::vector<InstanceTime> rows = m.meter.next_to_store();
  m.stored.put(rows);  // the store has them, and the connection broke before it said so
  m.meter.on_not_stored(rows);
  for (std::uint32_t other = 0; other <= limits::kUnstoredTimesCount; ++other) {
    m.meter.set(100 + other, {}, {1, false}, kMonday + 2'000 * kSecondUs, 2'000'000'000'000);
    m.meter.set(100 + other, {}, {0, false}, kMonday + 2'001 * kSecondUs, 2'001'000'000'000);
  }
  EXPECT_EQ(m.meter.next_to_store(), rows) << "nothing else comes into doubt";
  m.meter.on_not_stored(rows);
  m.store_next();
  EXPECT_EQ(m.stored.seconds(), 2);
  EXPECT_EQ(m.meter.unstored().size(), limits::kUnstoredTimesCount + 1);
  EXPECT_EQ(m.meter.next_to_store().size(), limits::kUnstoredTimesCount + 1);
}

}  // namespace
}  // namespace noren
