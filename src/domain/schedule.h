// domain/schedule.h - Schedule: when a dedicated API runs. Always, or in one to seven weekly windows of UTC.
// Read by the control plane (checks, next start and stop) and the data plane (start, stop, metering). Pure:
// time is a parameter, nothing is remembered; any thread.
//
// UTC knows no daylight saving time, so a week is always 10,080 minutes, and a window that passes midnight is
// two that touch. Windows that overlap or touch are one running time: nothing stops between them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace noren {

/// A time of the day on some days of the week.
struct ScheduleWindow {
  std::uint8_t days_mask = 0;  ///< bit 0 is Monday, bit 6 Sunday
  int start_minute = 0;        ///< of the day
  int end_minute = 0;          ///< 1440 is the day's end
  bool operator==(const ScheduleWindow&) const = default;
};

/// A piece of time, its end excluded.
struct TimeSpan {
  WallUs from_us = 0;
  WallUs until_us = 0;
  bool operator==(const TimeSpan&) const = default;
};

class Schedule {
 public:
  /// Always.
  Schedule() = default;
  /// kInvalidArgument says which window is wrong and why.
  static Result<Schedule> of(std::vector<ScheduleWindow> windows);

  bool is_always() const { return windows_.empty(); }
  /// As they were given.
  const std::vector<ScheduleWindow>& windows() const { return windows_; }

  bool runs_at(WallUs time_us) const;
  /// The first start after `time_us`, and the first stop; 0 where there is none (always, or every hour of the
  /// week).
  WallUs next_start_us(WallUs time_us) const;
  WallUs next_stop_us(WallUs time_us) const;
  /// How much of the span is within the windows.
  std::int64_t overlap_us(const TimeSpan& span) const;
  /// The first piece of the span that is within the windows.
  std::optional<TimeSpan> first_overlap(const TimeSpan& span) const;

  bool operator==(const Schedule& other) const { return windows_ == other.windows_; }

 private:
  /// Minutes from Monday 00:00, start < end. Sorted, apart from each other. The last one may end beyond the
  /// week: it goes on into the first minutes of the next.
  struct WeekSpan {
    int start_minute = 0;
    int end_minute = 0;
  };
  bool never_stops() const;
  std::int64_t running_us(std::int64_t since_base_us) const;

  std::vector<ScheduleWindow> windows_;
  std::vector<WeekSpan> week_;
};

/// "Mon-Fri 09:00-17:00", "Mon,Wed,Sat 22:00-24:00". Letter case does not matter, and whole names of days are
/// taken too.
Result<ScheduleWindow> parse_window(std::string_view text);
std::string format_window(const ScheduleWindow& window);

// The parts of a window, for forms that keep them apart.
/// "Mon" or "Monday" as a mask.
Result<std::uint8_t> parse_weekday(std::string_view text);
std::vector<std::string> weekday_names(std::uint8_t days_mask);
/// "09:30", minutes of the day; "24:00" too.
Result<int> parse_time_of_day(std::string_view text);
std::string format_time_of_day(int minute);

}  // namespace noren
