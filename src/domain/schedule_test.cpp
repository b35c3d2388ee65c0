#include "domain/schedule.h"

#include <chrono>
#include <random>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace noren {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
constexpr std::int64_t kDayUs = 1'440 * kMinuteUs;

WallUs at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0) {
  using namespace std::chrono;
  const sys_days date = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return duration_cast<microseconds>(date.time_since_epoch()).count() + (hour * 60 + minute) * kMinuteUs;
}

Schedule schedule_of(const std::vector<std::string>& texts) {
  std::vector<ScheduleWindow> windows;
  for (const std::string& text : texts) {
    const auto window = parse_window(text);
    EXPECT_TRUE(window.ok()) << text;
    windows.push_back(*window);
  }
  const auto schedule = Schedule::of(windows);
  EXPECT_TRUE(schedule.ok());
  return *schedule;
}

/// Straight from the contract's words, with the calendar of the standard library.
bool runs_by_the_words(const std::vector<ScheduleWindow>& windows, WallUs time_us) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds(time_us)};
  const sys_days day = floor<days>(time);
  const unsigned monday_first = (weekday(day).c_encoding() + 6) % 7;
  const std::int64_t of_day_us = (time - day).count();
  for (const ScheduleWindow& window : windows)
    if ((window.days_mask >> monday_first & 1) != 0 && of_day_us >= window.start_minute * kMinuteUs &&
        of_day_us < window.end_minute * kMinuteUs)
      return true;
  return false;
}

std::vector<ScheduleWindow> random_windows(std::mt19937& random) {
  const auto below = [&random](unsigned count) { return static_cast<int>(random() % count); };
  std::vector<ScheduleWindow> windows;
  for (int count = 1 + below(7); count > 0; --count) {
    ScheduleWindow window;
    window.days_mask = static_cast<std::uint8_t>(1 + below(127));
    window.start_minute = 15 * below(96);
    window.end_minute =
        window.start_minute + 15 * (1 + below(static_cast<unsigned>(96 - window.start_minute / 15)));
    if (below(4) == 0) window.end_minute = 1'440;
    if (below(4) == 0 && window.end_minute > 0) window.start_minute = 0;
    windows.push_back(window);
  }
  return windows;
}

/// Two weeks around what calendars get wrong.
const WallUs kFrom[] = {at(2023, 12, 25), at(2024, 2, 24), at(2026, 2, 23), at(2027, 12, 27),
                        at(2000, 2, 25),  at(2100, 2, 22), at(2026, 3, 25), at(1970, 1, 1)};

TEST(Schedule, AlwaysRunsAndNeverStops) {
  const Schedule always;
  EXPECT_TRUE(always.is_always());
  EXPECT_TRUE(always.runs_at(at(2026, 1, 1)));
  EXPECT_EQ(always.next_start_us(at(2026, 1, 1)), 0);
  EXPECT_EQ(always.next_stop_us(at(2026, 1, 1)), 0);
  EXPECT_EQ(always.overlap_us({at(2026, 1, 1), at(2026, 1, 2)}), kDayUs);
  EXPECT_EQ(always.overlap_us({5, 5}), 0);
  EXPECT_EQ(always.overlap_us({7, 5}), 0);
}

TEST(Schedule, AWorkingWeek) {
  const Schedule week = schedule_of({"Mon-Fri 09:00-17:00"});
  const WallUs wednesday = at(2024, 2, 28);
  EXPECT_FALSE(week.runs_at(wednesday + 9 * 60 * kMinuteUs - 1));
  EXPECT_TRUE(week.runs_at(wednesday + 9 * 60 * kMinuteUs));
  EXPECT_TRUE(week.runs_at(wednesday + 17 * 60 * kMinuteUs - 1));
  EXPECT_FALSE(week.runs_at(wednesday + 17 * 60 * kMinuteUs));
  EXPECT_EQ(week.next_start_us(at(2024, 2, 28, 9)), at(2024, 2, 29, 9));  // after, not at; a leap day
  EXPECT_EQ(week.next_stop_us(at(2024, 2, 28, 17)), at(2024, 2, 29, 17));
  EXPECT_EQ(week.next_start_us(at(2024, 3, 1, 9)), at(2024, 3, 4, 9));  // Friday to Monday
  EXPECT_EQ(week.next_stop_us(at(2023, 12, 31)), at(2024, 1, 1, 17));
  EXPECT_EQ(week.overlap_us({at(2024, 2, 1), at(2024, 3, 1)}), std::int64_t{21} * 8 * 60 * kMinuteUs);
}

TEST(Schedule, WindowsThatTouchOrOverlapAreOne) {
  // 08:00 to 16:00 in Tokyo is 23:00 to 07:00 in UTC.
  const Schedule tokyo = schedule_of({"Sun-Thu 23:00-24:00", "Mon-Fri 00:00-07:00"});
  EXPECT_EQ(tokyo.next_stop_us(at(2026, 1, 5, 23)), at(2026, 1, 6, 7));
  EXPECT_EQ(tokyo.next_start_us(at(2026, 1, 4, 23)), at(2026, 1, 5, 23));
  EXPECT_EQ(tokyo.next_stop_us(at(2026, 1, 4, 23)), at(2026, 1, 5, 7));  // over the week's end
  EXPECT_EQ(tokyo.first_overlap({at(2026, 1, 4), at(2026, 1, 12)}),
            (TimeSpan{at(2026, 1, 4, 23), at(2026, 1, 5, 7)}));
  const Schedule overlapping = schedule_of({"Mon 08:00-12:00", "Mon 11:00-13:00", "Mon 13:00-13:15"});
  EXPECT_EQ(overlapping.next_stop_us(at(2026, 1, 5, 8)), at(2026, 1, 5, 13, 15));
  EXPECT_EQ(overlapping.overlap_us({at(2026, 1, 5), at(2026, 1, 12)}), 315 * kMinuteUs);
  EXPECT_EQ(overlapping.windows().size(), 3U);  // they are shown as they were given
}

TEST(Schedule, EveryHourOfTheWeekIsAlways) {
  const Schedule full = schedule_of({"Mon-Sun 00:00-12:00", "Mon-Sun 12:00-24:00"});
  EXPECT_FALSE(full.is_always());
  EXPECT_EQ(full.next_start_us(at(2026, 1, 1)), 0);
  EXPECT_EQ(full.next_stop_us(at(2026, 1, 1)), 0);
  EXPECT_EQ(full.overlap_us({at(2023, 1, 1), at(2026, 1, 1)}), at(2026, 1, 1) - at(2023, 1, 1));
  EXPECT_EQ(full.first_overlap({5, 9}), (TimeSpan{5, 9}));
}

TEST(Schedule, SaysAtEveryQuarterWhatTheWordsSay) {
  std::mt19937 random(5);
  for (int round = 0; round < 40; ++round) {
    const std::vector<ScheduleWindow> windows = random_windows(random);
    const Schedule schedule = *Schedule::of(windows);
    for (const WallUs from : kFrom) {
      std::int64_t expected_us = 0;
      for (WallUs time = from; time < from + 14 * kDayUs; time += 15 * kMinuteUs) {
        const bool runs = runs_by_the_words(windows, time);
        if (runs) expected_us += 15 * kMinuteUs;
        ASSERT_EQ(schedule.runs_at(time), runs) << format_utc(time) << " round " << round;
        ASSERT_EQ(schedule.overlap_us({from, time + 15 * kMinuteUs}), expected_us) << format_utc(time);
        ASSERT_EQ(schedule.runs_at(time + 15 * kMinuteUs - 1), runs);
      }
    }
  }
}

TEST(Schedule, StartsAndStopsAreWhereRunningChanges) {
  std::mt19937 random(6);
  for (int round = 0; round < 40; ++round) {
    const std::vector<ScheduleWindow> windows = random_windows(random);
    const Schedule schedule = *Schedule::of(windows);
    for (const WallUs from : kFrom) {
      const WallUs time = from + static_cast<WallUs>(random() % 14) * kDayUs +
                          static_cast<WallUs>(random() % 86'400) * kSecondUs + 7;
      WallUs start = 0, stop = 0;
      WallUs quarter = (time / (15 * kMinuteUs) + 1) * 15 * kMinuteUs;
      for (const WallUs end = time + 15 * kDayUs; quarter < end && (start == 0 || stop == 0);
           quarter += 15 * kMinuteUs) {
        const bool before = runs_by_the_words(windows, quarter - 1);
        const bool after = runs_by_the_words(windows, quarter);
        if (start == 0 && !before && after) start = quarter;
        if (stop == 0 && before && !after) stop = quarter;
      }
      ASSERT_EQ(schedule.next_start_us(time), start) << format_utc(time) << " round " << round;
      ASSERT_EQ(schedule.next_stop_us(time), stop) << format_utc(time) << " round " << round;
    }
  }
}

TEST(Schedule, OverlapsAddUpOverAnyCutAndArePieces) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    const Schedule schedule = *Schedule::of(random_windows(random));
    const WallUs from = at(2023, 6, 1) + static_cast<WallUs>(random()) * 100;
    const WallUs until = from + static_cast<WallUs>(random()) * 10'000;  // up to 500 days
    const WallUs cut = from + (until - from) / 3;
    const std::int64_t whole_us = schedule.overlap_us({from, until});
    ASSERT_EQ(whole_us, schedule.overlap_us({from, cut}) + schedule.overlap_us({cut, until}));
    std::int64_t pieces_us = 0;
    TimeSpan rest{from, until};
    for (int count = 0; const auto piece = schedule.first_overlap(rest); ++count) {
      ASSERT_LT(count, 8'000);
      ASSERT_LT(piece->from_us, piece->until_us);
      pieces_us += piece->until_us - piece->from_us;
      rest.from_us = piece->until_us;
    }
    ASSERT_EQ(pieces_us, whole_us);
  }
}

TEST(Schedule, GoesThroughText) {
  for (const char* text : {"Mon-Fri 09:00-17:00", "Mon 00:00-24:00", "Sat,Sun 08:15-08:30",
                           "Mon-Wed,Fri-Sun 23:45-24:00", "Mon,Wed,Fri 06:00-07:00", "Mon-Sun 01:00-02:00"})
    EXPECT_EQ(format_window(*parse_window(text)), text);
  EXPECT_EQ(format_window(*parse_window(" saturday-MON  9:00-10:00 ")), "Mon,Sat,Sun 09:00-10:00");
  std::mt19937 random(8);
  for (int round = 0; round < 200; ++round)
    for (const ScheduleWindow& window : random_windows(random))
      ASSERT_EQ(*parse_window(format_window(window)), window);
}

TEST(Schedule, SaysWhatIsWrongWithAText) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"", "like \"Mon-Fri 09:00-17:00\""},
      {"Mon", "like \"Mon-Fri"},
      {"Mon 09:00", "like \"Mon-Fri"},
      {"09:00-17:00", "like \"Mon-Fri"},
      {"Mom 09:00-17:00", "'Mom' is no weekday: Mon, Tue"},
      {"Mon-Frei 09:00-17:00", "'Frei' is no weekday"},
      {"Mon- 09:00-17:00", "'' is no weekday"},
      {"Mon 09:07-17:00", "steps of 15 minutes, and 09:07 is not"},
      {"Mon 17:00-09:00", "start (17:00) must be before its end (09:00)"},
      {"Mon 09:00-09:00", "must be before"},
      {"Mon 24:00-24:00", "must be before"},
      {"Mon 09:00-24:15", "'24:15' is no time of day"},
      {"Mon 9-17", "'9' is no time of day"},
      {"Mon 09:00-17:60", "'17:60' is no time of day"},
      {"Mon -1:00-17:00", "like \"Mon-Fri"},
      {"Mon 0x9:00-17:00", "is no time of day"},
  };
  for (const auto& [text, part] : kWrong) {
    const auto window = parse_window(text);
    ASSERT_FALSE(window.ok()) << text;
    EXPECT_EQ(window.error().code, Code::kInvalidArgument);
    EXPECT_NE(window.error().text.find(part), std::string::npos) << text << ": " << window.error().text;
  }
}

TEST(Schedule, TakesOneToSevenWindows) {
  const ScheduleWindow window{1, 0, 15};
  EXPECT_FALSE(Schedule::of({}).ok());
  EXPECT_TRUE(Schedule::of(std::vector<ScheduleWindow>(limits::kScheduleWindowsCount, window)).ok());
  EXPECT_FALSE(Schedule::of(std::vector<ScheduleWindow>(limits::kScheduleWindowsCount + 1, window)).ok());
  EXPECT_FALSE(Schedule::of({{0, 0, 15}}).ok());
  EXPECT_FALSE(Schedule::of({{1, 0, 1'455}}).ok());
  EXPECT_FALSE(Schedule::of({{1, -15, 15}}).ok());
  EXPECT_FALSE(Schedule::of({{1, 15, 15}}).ok());
}

}  // namespace
}  // namespace noren
