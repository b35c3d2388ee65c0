// An API's settings as the JSON that the store keeps: only what differs from the default is written.
#include <boost/json.hpp>

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

}  // namespace

std::string to_json(const ApiSettings& settings) {
  const ApiSettings standard;
  json::object object;
  put(object, "keep_output_names", settings.keep_output_names, standard.keep_output_names);
  put(object, "batching", settings.batching, standard.batching);
  put(object, "on_gpu", settings.on_gpu, standard.on_gpu);
  put(object, "instances", settings.instances_count, standard.instances_count);
  put(object, "threads", settings.threads_count, standard.threads_count);
  put(object, "body_limit_bytes", settings.body_limit_bytes, standard.body_limit_bytes);
  put(object, "deadline_ms", settings.deadline_ms, standard.deadline_ms);
  put(object, "queue_limit", settings.queue_limit_count, standard.queue_limit_count);
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
        take(object, "queue_limit", settings.queue_limit_count))
      return settings;
  }
  return make_error(Code::kCorrupt, "the stored settings of an API are damaged", text.substr(0, 200));
}

}  // namespace noren::server
