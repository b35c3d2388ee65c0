// An API's settings: their limits, and the JSON that the store keeps, where only what differs from the
// default is written.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "domain/names.h"
#include "server/control_plane/apis/apis.h"

namespace noren::server {
namespace {

namespace json = boost::json;

template <typename Value>
void put(json::object& object, std::string_view name, Value value, Value standard) {
  if (value != standard) object[name] = value;
}

bool take(const json::object& object, std::string_view name, bool& value) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr) return true;
  if (found->is_bool()) value = found->get_bool();
  return found->is_bool();
}

template <typename Integer>
bool take(const json::object& object, std::string_view name, Integer& value) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr) return true;
  json::error_code failure;
  value = found->to_number<Integer>(failure);
  return !failure;
}

bool take(const json::object& object, std::string_view name, std::string& value) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr) return true;
  if (found->is_string()) value = found->get_string();
  return found->is_string();
}

bool take(const json::object& object, std::string_view name, Schedule& schedule) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr) return true;
  if (!found->is_array()) return false;
  std::vector<ScheduleWindow> windows;
  for (const json::value& text : found->get_array()) {
    const auto window =
        text.is_string() ? parse_window(text.get_string()) : Result<ScheduleWindow>(invalid(""));
    if (!window.ok()) return false;
    windows.push_back(*window);
  }
  auto made = Schedule::of(std::move(windows));
  if (made.ok()) schedule = std::move(*made);
  return made.ok();
}

struct Bound {
  std::string_view name;
  std::int64_t value;
  std::int64_t least;
  std::int64_t most;
};

}  // namespace

Status check_settings(const ApiSettings& settings, ExecutionType type, const ApiRules& rules) {
  const bool dedicated = type == ExecutionType::kDedicated;
  if (!settings.name.empty()) TRY(check_name("the name", settings.name));
  const Bound kBounds[] = {
      {"instances", settings.instances_count, 1, limits::kInstancesCount},
      {"threads", settings.threads_count, 1, rules.threads_limit_count},
      {"queue_limit", settings.queue_limit_count, 1, limits::kQueueLimitCount},
      {"rate_limit", settings.rate_limit_per_s, 1, limits::kRequestRateCount},
      {"body_limit_bytes", settings.body_limit_bytes, limits::kBodyLimitLeastBytes, limits::kBodyLimitBytes},
      {"deadline_ms", settings.deadline_ms, 1, dedicated ? limits::kDeadlineMs : rules.deadline_ms},
  };
  for (const Bound& bound : kBounds)
    if (bound.value != 0 && (bound.value < bound.least || bound.value > bound.most))
      return invalid(fmt::format("'{}' must be from {} to {}{}", bound.name, bound.least, bound.most,
                                 bound.name == "deadline_ms" && !dedicated
                                     ? " for an API per request; a dedicated one may take longer"
                                     : ""));
  if (dedicated && settings.on_gpu && !rules.gpu_unavailable_reason.empty())
    return make_error(Code::kFailedPrecondition,
                      "this server can't run a model on a GPU: " + rules.gpu_unavailable_reason);
  return Ok{};
}

std::string to_json(const ApiSettings& settings) {
  const ApiSettings standard;
  json::object object;
  put(object, "name", settings.name, standard.name);
  put(object, "keep_output_names", settings.keep_output_names, standard.keep_output_names);
  put(object, "batching", settings.batching, standard.batching);
  put(object, "on_gpu", settings.on_gpu, standard.on_gpu);
  put(object, "instances", settings.instances_count, standard.instances_count);
  put(object, "threads", settings.threads_count, standard.threads_count);
  put(object, "body_limit_bytes", settings.body_limit_bytes, standard.body_limit_bytes);
  put(object, "deadline_ms", settings.deadline_ms, standard.deadline_ms);
  put(object, "queue_limit", settings.queue_limit_count, standard.queue_limit_count);
  put(object, "rate_limit", settings.rate_limit_per_s, standard.rate_limit_per_s);
  if (settings.schedule.is_always()) return json::serialize(object);
  json::array windows;
  for (const ScheduleWindow& window : settings.schedule.windows())
    windows.emplace_back(format_window(window));
  object["schedule"] = std::move(windows);
  return json::serialize(object);
}

Result<ApiSettings> settings_from_json(const std::string& text) {
  json::error_code failure;
  const json::value value = json::parse(text, failure);
  ApiSettings settings;
  if (!failure && value.is_object()) {
    const json::object& object = value.get_object();
    if (take(object, "keep_output_names", settings.keep_output_names) &&
        take(object, "batching", settings.batching) && take(object, "on_gpu", settings.on_gpu) &&
        take(object, "instances", settings.instances_count) &&
        take(object, "threads", settings.threads_count) &&
        take(object, "body_limit_bytes", settings.body_limit_bytes) &&
        take(object, "deadline_ms", settings.deadline_ms) &&
        take(object, "queue_limit", settings.queue_limit_count) && take(object, "name", settings.name) &&
        take(object, "rate_limit", settings.rate_limit_per_s) && take(object, "schedule", settings.schedule))
      return settings;
  }
  return make_error(Code::kCorrupt, "the stored settings of an API are damaged", text.substr(0, 200));
}

}  // namespace noren::server
