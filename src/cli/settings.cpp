#include "cli/settings.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "base/limits.h"
#include "domain/schedule.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

constexpr int kWaitMs = 10'000;
constexpr int kLookEveryMs = 50;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr Unit kCounts[] = {{"", 1}};
constexpr Unit kRates[] = {{"/s", 1}, {"", 1}};
constexpr Unit kSizes[] = {{"", 1},
                           {"KiB", static_cast<std::int64_t>(limits::kKiB)},
                           {"MiB", static_cast<std::int64_t>(limits::kMiB)},
                           {"GiB", static_cast<std::int64_t>(limits::kGiB)}};
constexpr Unit kTimes[] = {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"", 1'000}};

/// "25/s", "10MiB", "30s"; nothing where it is none of these.
template <std::size_t N>
std::optional<std::int64_t> number_with_unit(std::string_view text, const Unit (&units)[N]) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc{} || number < 1) return std::nullopt;
  const std::string_view unit(stopped, static_cast<std::size_t>(end - stopped));
  for (const Unit& each : units)
    if (each.name == unit && number <= INT64_MAX / each.factor) return number * each.factor;
  return std::nullopt;
}

template <std::size_t N>
Status add_number(const std::string& text, std::string_view option, std::string_view member,
                  std::string_view example, const Unit (&units)[N], json::object& body) {
  if (text.empty()) return Ok{};
  if (text == "default" || text == "off") {
    body[member] = nullptr;
    return Ok{};
  }
  const auto number = number_with_unit(text, units);
  if (!number)
    return invalid(fmt::format("{}: '{}' is not understood; write it like {}", option, text, example));
  body[member] = *number;
  return Ok{};
}

Status add_switch(const std::string& text, std::string_view member, json::object& body) {
  if (!text.empty()) body[member] = text == "on";  // the command line takes on and off only
  return Ok{};
}

}  // namespace

Status add_settings(const SettingOptions& options, json::object& body) {
  if (!options.type.empty()) body["type"] = options.type;
  if (!options.instance_type.empty()) body["instance_type"] = options.instance_type;
  TRY(add_number(options.instances, "--instances", "instances", "2", kCounts, body));
  TRY(add_number(options.threads, "--threads", "threads", "2", kCounts, body));
  TRY(add_number(options.queue_limit, "--queue-limit", "queue_limit", "128", kCounts, body));
  TRY(add_number(options.rate_limit, "--rate-limit", "rate_limit", "20/s", kRates, body));
  TRY(add_number(options.body_limit, "--body-limit", "body_limit_bytes", "10MiB", kSizes, body));
  TRY(add_number(options.deadline, "--deadline", "deadline_ms", "30s", kTimes, body));
  TRY(add_switch(options.batching, "batching", body));
  TRY(add_switch(options.keep_output_names, "keep_output_names", body));
  if (options.always) body["schedule"] = "always";
  if (options.schedule.empty()) return Ok{};
  json::array windows;
  for (const std::string& text : options.schedule) windows.emplace_back(text);
  body["schedule"] = std::move(windows);
  return Ok{};
}

std::string schedule_text(const json::value& schedule) {
  if (!schedule.is_array()) return "always";
  std::string text;
  for (const json::value& value : schedule.get_array()) {
    if (!value.is_object()) continue;
    const json::object& window = value.get_object();
    ScheduleWindow read;
    const json::value* days = window.if_contains("days");
    if (days != nullptr && days->is_array())
      for (const json::value& day : days->get_array())
        if (const auto mask = parse_weekday(day.is_string() ? std::string_view(day.get_string()) : "");
            mask.ok())
          read.days_mask |= *mask;
    const auto start = parse_time_of_day(text_of(window, "start"));
    const auto end = parse_time_of_day(text_of(window, "end"));
    if (!start.ok() || !end.ok()) continue;
    read.start_minute = *start;
    read.end_minute = *end;
    text += (text.empty() ? "" : "; ") + format_window(read);
  }
  return text + " (UTC)";
}

void await_instance(const Session& session, json::object& api) {
  const std::string path = "apis/" + encoded(text_of(api, "id"));
  for (int waited_ms = 0; waited_ms < kWaitMs; waited_ms += kLookEveryMs) {
    const std::string state = text_of(api, "state");
    if (state != "submitted" && state != "provisioning" && state != "building") return;
    std::this_thread::sleep_for(std::chrono::milliseconds(kLookEveryMs));
    const auto now = session.ask("GET", path);
    if (!now.ok()) return;  // it is published; how it is just now is a remark, not the result
    for (const char* name : {"state", "state_reason", "ready_instances"})
      if (const json::value* value = now->if_contains(name)) api[name] = *value;
  }
}

}  // namespace noren::cli
