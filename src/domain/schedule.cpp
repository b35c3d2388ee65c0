#include "domain/schedule.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"

namespace noren {
namespace {

constexpr int kDayMinutes = 1'440;
constexpr int kWeekMinutes = 7 * kDayMinutes;
constexpr int kStepMinutes = 15;
constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kWeekUs = kWeekMinutes * kMinuteUs;
constexpr std::uint8_t kEveryDay = 0x7f;
/// Weeks are counted from Monday, 1969-12-29: 1970 began on a Thursday.
constexpr std::int64_t kBaseUs = -3 * kDayMinutes * kMinuteUs;

constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};
constexpr std::size_t kShortDayLength = 3;
constexpr const char* kForm = "a window of a schedule is written like \"Mon-Fri 09:00-17:00\"";

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

bool equal_letters(std::string_view a, std::string_view b) {
  const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&small](char x, char y) { return small(x) == small(y); });
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShownBytes = 60;
  return "'" + std::string(text.substr(0, kShownBytes)) + "'";
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// Two parts at the first `separator`; the second is empty where there is none.
std::pair<std::string_view, std::string_view> split(std::string_view text, char separator) {
  const std::size_t at = std::min(text.find(separator), text.size());
  return {trimmed(text.substr(0, at)), trimmed(text.substr(std::min(at + 1, text.size())))};
}

Status check(const ScheduleWindow& window) {
  if ((window.days_mask & kEveryDay) == 0)
    return invalid("a window of a schedule needs at least one weekday");
  const auto is_step = [](int minute) {
    return minute >= 0 && minute <= kDayMinutes && minute % kStepMinutes == 0;
  };
  for (const int minute : {window.start_minute, window.end_minute})
    if (!is_step(minute))
      return invalid("a schedule's times go in steps of 15 minutes, and " + format_time_of_day(minute) +
                     " is not on one");
  if (window.start_minute >= window.end_minute)
    return invalid("a window's start (" + format_time_of_day(window.start_minute) +
                   ") must be before its end (" + format_time_of_day(window.end_minute) +
                   "); what passes midnight is two windows");
  return Ok{};
}

/// "Mon-Fri,Sun": also over the week's end ("Sat-Mon").
Result<std::uint8_t> parse_days(std::string_view text) {
  std::uint8_t mask = 0;
  while (!text.empty()) {
    const auto [part, rest] = split(text, ',');
    const auto [first_name, last_name] = split(part, '-');
    ASSIGN_OR_RETURN(const std::uint8_t first, parse_weekday(first_name));
    std::uint8_t last = first;
    if (part.find('-') != std::string_view::npos) {
      ASSIGN_OR_RETURN(last, parse_weekday(last_name));
    }
    for (std::uint8_t day = first;; day = day == 0x40 ? 1 : static_cast<std::uint8_t>(day << 1)) {
      mask |= day;
      if (day == last) break;
    }
    text = rest;
  }
  return mask;
}

}  // namespace

Result<Schedule> Schedule::of(std::vector<ScheduleWindow> windows) {
  if (windows.empty() || windows.size() > limits::kScheduleWindowsCount)
    return invalid("a schedule has 1 to " + std::to_string(limits::kScheduleWindowsCount) + " windows, not " +
                   std::to_string(windows.size()));
  std::vector<WeekSpan> spans;
  for (const ScheduleWindow& window : windows) {
    TRY(check(window));
    for (int day = 0; day < 7; ++day)
      if ((window.days_mask >> day & 1) != 0)
        spans.push_back({day * kDayMinutes + window.start_minute, day * kDayMinutes + window.end_minute});
  }
  std::sort(spans.begin(), spans.end(),
            [](const WeekSpan& a, const WeekSpan& b) { return a.start_minute < b.start_minute; });
  Schedule schedule;
  for (const WeekSpan& span : spans) {
    if (!schedule.week_.empty() && span.start_minute <= schedule.week_.back().end_minute)
      schedule.week_.back().end_minute = std::max(schedule.week_.back().end_minute, span.end_minute);
    else
      schedule.week_.push_back(span);
  }
  // Sunday's end touches Monday's start.
  WeekSpan& last = schedule.week_.back();
  if (schedule.week_.size() > 1 && last.end_minute == kWeekMinutes &&
      schedule.week_.front().start_minute == 0) {
    last.end_minute += schedule.week_.front().end_minute;
    schedule.week_.erase(schedule.week_.begin());
  }
  schedule.windows_ = std::move(windows);
  return schedule;
}

bool Schedule::never_stops() const {
  return is_always() ||
         (week_.size() == 1 && week_.front().end_minute - week_.front().start_minute == kWeekMinutes);
}

/// Of the time from the base until then.
std::int64_t Schedule::running_us(std::int64_t since_base_us) const {
  const std::int64_t weeks = floor_divide(since_base_us, kWeekUs);
  const std::int64_t rest_us = since_base_us - weeks * kWeekUs;
  std::int64_t a_week_us = 0, in_rest_us = 0;
  for (const WeekSpan& span : week_) {
    const std::int64_t start_us = span.start_minute * kMinuteUs, end_us = span.end_minute * kMinuteUs;
    a_week_us += end_us - start_us;
    in_rest_us += std::clamp<std::int64_t>(rest_us - start_us, 0, end_us - start_us);
    // What the last span of the week before left over.
    in_rest_us += std::clamp<std::int64_t>(rest_us, 0, std::max<std::int64_t>(0, end_us - kWeekUs));
    // Beyond the week's end it belongs to the next one.
  }
  return weeks * a_week_us + in_rest_us;
}

std::int64_t Schedule::overlap_us(const TimeSpan& span) const {
  if (span.until_us <= span.from_us) return 0;
  if (is_always()) return span.until_us - span.from_us;
  return running_us(span.until_us - kBaseUs) - running_us(span.from_us - kBaseUs);
}

bool Schedule::runs_at(WallUs time_us) const { return overlap_us({time_us, time_us + 1}) > 0; }

WallUs Schedule::next_start_us(WallUs time_us) const {
  if (never_stops()) return 0;
  const WallUs week_us = kBaseUs + floor_divide(time_us - kBaseUs, kWeekUs) * kWeekUs;
  for (const WallUs base_us : {week_us, week_us + kWeekUs})
    for (const WeekSpan& span : week_)
      if (const WallUs start_us = base_us + span.start_minute * kMinuteUs; start_us > time_us)
        return start_us;
  return 0;
}

WallUs Schedule::next_stop_us(WallUs time_us) const {
  if (never_stops()) return 0;
  const WallUs week_us = kBaseUs + floor_divide(time_us - kBaseUs, kWeekUs) * kWeekUs;
  for (const WallUs base_us : {week_us - kWeekUs, week_us, week_us + kWeekUs})
    for (const WeekSpan& span : week_)
      if (const WallUs stop_us = base_us + span.end_minute * kMinuteUs; stop_us > time_us) return stop_us;
  return 0;
}

std::optional<TimeSpan> Schedule::first_overlap(const TimeSpan& span) const {
  if (span.until_us <= span.from_us) return std::nullopt;
  if (never_stops()) return span;
  const WallUs from_us = runs_at(span.from_us) ? span.from_us : next_start_us(span.from_us);
  if (from_us >= span.until_us) return std::nullopt;
  return TimeSpan{from_us, std::min(span.until_us, next_stop_us(from_us))};
}

Result<std::uint8_t> parse_weekday(std::string_view text) {
  for (std::size_t i = 0; i < kDays.size(); ++i)
    if (equal_letters(text, kDays[i]) || equal_letters(text, kDays[i].substr(0, kShortDayLength)))
      return static_cast<std::uint8_t>(1 << i);
  return invalid(quoted(text) + " is no weekday: Mon, Tue, Wed, Thu, Fri, Sat or Sun");
}

std::vector<std::string> weekday_names(std::uint8_t days_mask) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kDays.size(); ++i)
    if ((days_mask >> i & 1) != 0) names.emplace_back(kDays[i].substr(0, kShortDayLength));
  return names;
}

Result<int> parse_time_of_day(std::string_view text) {
  const Error wrong = invalid(quoted(text) + " is no time of day such as 09:00 (00:00 to 24:00)");
  const auto [hours, minutes] = split(text, ':');
  int hour = 0, minute = 0;
  const auto reads = [](std::string_view digits, int& value) {
    const char* const end = digits.data() + digits.size();
    return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           std::from_chars(digits.data(), end, value).ptr == end;
  };
  if (hours.empty() || hours.size() > 2 || minutes.size() != 2) return wrong;
  if (!reads(hours, hour) || !reads(minutes, minute) || minute > 59) return wrong;
  if (hour * 60 + minute > kDayMinutes) return wrong;
  return hour * 60 + minute;
}

std::string format_time_of_day(int minute) {
  const auto two_digits = [](int value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  return two_digits(minute / 60) + ":" + two_digits(minute % 60);
}

Result<ScheduleWindow> parse_window(std::string_view text) {
  text = trimmed(text);
  const std::size_t gap = text.rfind(' ');
  if (gap == std::string_view::npos) return invalid(quoted(text) + ": " + kForm);
  const auto [start, end] = split(text.substr(gap + 1), '-');
  if (start.empty() || end.empty()) return invalid(quoted(text) + ": " + kForm);
  ScheduleWindow window;
  ASSIGN_OR_RETURN(window.days_mask, parse_days(trimmed(text.substr(0, gap))));
  ASSIGN_OR_RETURN(window.start_minute, parse_time_of_day(start));
  ASSIGN_OR_RETURN(window.end_minute, parse_time_of_day(end));
  TRY(check(window));
  return window;
}

std::string format_window(const ScheduleWindow& window) {
  std::string text;
  for (int day = 0; day < 7; ++day) {
    if ((window.days_mask >> day & 1) == 0) continue;
    int last = day;
    while (last < 6 && (window.days_mask >> (last + 1) & 1) != 0) ++last;
    if (!text.empty()) text += ',';
    text += kDays[static_cast<std::size_t>(day)].substr(0, kShortDayLength);
    if (last > day) text += last > day + 1 ? "-" : ",";
    if (last > day) text += kDays[static_cast<std::size_t>(last)].substr(0, kShortDayLength);
    day = last;
  }
  return text + " " + format_time_of_day(window.start_minute) + "-" + format_time_of_day(window.end_minute);
}

}  // namespace noren
