#include "server/management/api_settings.h"

#include <fmt/format.h>

namespace noren::server {
namespace {

namespace json = boost::json;

template <typename Integer>
Status take_count(const json::object& body, std::string_view name, Integer& count, Integer standard) {
  const json::value* value = body.if_contains(name);
  if (value == nullptr) return Ok{};
  if (value->is_null()) {
    count = standard;
    return Ok{};
  }
  json::error_code failure;
  const auto read = value->to_number<Integer>(failure);
  if (failure || read < 1)
    return invalid(fmt::format("'{}' must be a whole number from 1 up, or null", name));
  count = read;
  return Ok{};
}

Result<ScheduleWindow> window_of(const json::value& value) {
  if (value.is_string()) return parse_window(value.get_string());
  if (!value.is_object())
    return invalid(
        "a window of a schedule is text like \"Mon-Fri 09:00-17:00\", or an object with "
        "'days', 'start' and 'end'");
  const json::object& object = value.get_object();
  for (const auto& member : object)
    if (member.key() != "days" && member.key() != "start" && member.key() != "end")
      return invalid(
          fmt::format("unknown member '{}' in a window of the schedule", std::string_view(member.key())));
  ScheduleWindow window;
  const json::value* days = object.if_contains("days");
  if (days == nullptr || !days->is_array())
    return invalid("'days' of a window must be a list such as [\"Mon\", \"Tue\"]");
  for (const json::value& day : days->get_array()) {
    ASSIGN_OR_RETURN(const std::uint8_t bit,
                     parse_weekday(day.is_string() ? std::string_view(day.get_string()) : ""));
    window.days_mask |= bit;
  }
  ASSIGN_OR_RETURN(const std::string start, text_member(object, "start"));
  ASSIGN_OR_RETURN(const std::string end, text_member(object, "end"));
  ASSIGN_OR_RETURN(window.start_minute, parse_time_of_day(start));
  ASSIGN_OR_RETURN(window.end_minute, parse_time_of_day(end));
  return window;
}

Status take_schedule(const json::object& body, Schedule& schedule) {
  const json::value* value = body.if_contains("schedule");
  if (value == nullptr) return Ok{};
  if (value->is_null() || (value->is_string() && value->get_string() == "always")) {
    schedule = {};
    return Ok{};
  }
  if (!value->is_array()) return invalid("'schedule' must be \"always\" or a list of windows");
  std::vector<ScheduleWindow> windows;
  for (const json::value& each : value->get_array()) {
    ASSIGN_OR_RETURN(const ScheduleWindow window, window_of(each));
    windows.push_back(window);
  }
  ASSIGN_OR_RETURN(schedule, Schedule::of(std::move(windows)));
  return Ok{};
}

Status take_device(const json::object& body, bool& on_gpu) {
  ASSIGN_OR_RETURN(const std::string device, text_member(body, "instance_type"));
  if (device.empty()) return Ok{};
  if (device != "cpu" && device != "gpu") return invalid("'instance_type' must be \"cpu\" or \"gpu\"");
  on_gpu = device == "gpu";
  return Ok{};
}

json::value schedule_json(const Schedule& schedule) {
  if (schedule.is_always()) return "always";
  json::array windows;
  for (const ScheduleWindow& window : schedule.windows()) {
    json::array days;
    for (const std::string& day : weekday_names(window.days_mask)) days.emplace_back(day);
    windows.push_back({{"days", std::move(days)},
                       {"start", format_time_of_day(window.start_minute)},
                       {"end", format_time_of_day(window.end_minute)}});
  }
  return windows;
}

}  // namespace

Result<std::string> text_member(const json::object& body, std::string_view name) {
  const json::value* value = body.if_contains(name);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return invalid(fmt::format("'{}' must be text", name));
  return std::string(value->get_string());
}

Status take_flag(const json::object& body, std::string_view name, bool& flag) {
  const json::value* value = body.if_contains(name);
  if (value == nullptr) return Ok{};
  if (!value->is_bool()) return invalid(fmt::format("'{}' must be true or false", name));
  flag = value->get_bool();
  return Ok{};
}

Status take_settings(const json::object& body, ApiSettings& settings) {
  const ApiSettings standard;
  TRY(take_flag(body, "keep_output_names", settings.keep_output_names));
  TRY(take_flag(body, "batching", settings.batching));
  TRY(take_device(body, settings.on_gpu));
  TRY(take_count(body, "instances", settings.instances_count, standard.instances_count));
  TRY(take_count(body, "threads", settings.threads_count, standard.threads_count));
  TRY(take_count(body, "queue_limit", settings.queue_limit_count, standard.queue_limit_count));
  TRY(take_count(body, "rate_limit", settings.rate_limit_per_s, standard.rate_limit_per_s));
  TRY(take_count(body, "body_limit_bytes", settings.body_limit_bytes, standard.body_limit_bytes));
  TRY(take_count(body, "deadline_ms", settings.deadline_ms, standard.deadline_ms));
  return take_schedule(body, settings.schedule);
}

Status check_members_fit(const json::object& body, ExecutionType type) {
  if (type == ExecutionType::kDedicated) return Ok{};
  for (const char* name : {"instance_type", "instances", "threads", "schedule"})
    if (body.contains(name))
      return invalid(fmt::format("'{}' is for dedicated APIs: one per request has no instances", name));
  return Ok{};
}

void add_settings(json::object& api, const PublishedApi& published, WallUs now_us) {
  api["batching"] = published.batching;
  api["keep_output_names"] = published.keep_output_names;
  api["queue_limit"] = published.queue_limit_count;
  api["body_limit_bytes"] = published.body_limit_bytes;
  api["deadline_ms"] = published.deadline_ms;
  if (published.rate_limit_per_s != 0) api["rate_limit"] = published.rate_limit_per_s;
  if (published.type != ExecutionType::kDedicated) return;
  api["instance_type"] = published.on_gpu ? "gpu" : "cpu";
  api["instances"] = published.instances_count;
  api["threads"] = published.threads_count;
  const Schedule& schedule = published.schedule;
  api["schedule"] = schedule_json(schedule);
  if (!published.enabled) return;
  if (const WallUs start_us = schedule.next_start_us(now_us); start_us != 0)
    api["next_start"] = format_utc(start_us);
  if (const WallUs stop_us = schedule.next_stop_us(now_us); stop_us != 0)
    api["next_stop"] = format_utc(stop_us);
}

}  // namespace noren::server
