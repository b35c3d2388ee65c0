#include "server/management/api_answers.h"

#include <fmt/format.h>

#include "server/blob/blob_store.h"
#include "server/management/api_settings.h"
#include "server/store/words.h"

namespace noren::server {
namespace {

namespace json = boost::json;

std::string url_of(const ManagementParts& parts, const ApiRow& row) {
  const bool dedicated = row.api.type == ExecutionType::kDedicated;
  return fmt::format("{}/v1/{}classifiers/{}/inference", parts.public_url(), dedicated ? "" : "serverless/",
                     row.api.id);
}

std::string fingerprint_of(const ManagementRequest& request) {
  return sha256_hex(
      bytes_of(request.method + " " + request.path + "?" + request.query + "\n" + request.body));
}

std::string purpose_of(const Exchange& exchange) {
  return "answer:" + exchange.principal.owner_id + ":" + exchange.request.idempotency_key;
}

Result<json::object> row_json(const ManagementParts& parts, const ApiRow& row, const UsageTotal& total) {
  ASSIGN_OR_RETURN(const ApiSettings settings, settings_from_json(row.api.settings));
  ASSIGN_OR_RETURN(const PublishedApi published, parts.apis.published(row));
  json::object api = {{"id", row.api.id},
                      {"url", url_of(parts, row)},
                      {"type", execution_type_name(row.api.type)},
                      {"enabled", row.api.enabled},
                      {"project", row.project},
                      {"name", settings.name.empty() ? row.name : settings.name},
                      {"version", row.api.version_label},
                      {"job", row.job_id},
                      {"created", format_utc(row.api.created_us)},
                      {"modified", format_utc(row.api.modified_us)},
                      {"cost_parameter", row.cost_parameter},
                      {"successes", total.counts.succeeded}};
  if (plan_of(row.owner_plan) == Plan::kFree) api["free_left"] = parts.usage.free_left(total.counts);
  add_settings(api, published, parts.clock.wall_us());
  if (row.api.type == ExecutionType::kDedicated) add_seconds(api, total.seconds);
  return api;
}

}  // namespace

void add_seconds(json::object& object, const InstanceSeconds& seconds) {
  object["cpu_instance_seconds"] = seconds.cpu_s;
  object["gpu_instance_seconds"] = seconds.gpu_s;
}

Result<std::vector<json::object>> apis_json(const ManagementParts& parts, const std::vector<ApiRow>& rows) {
  std::vector<std::uint32_t> numbers;
  numbers.reserve(rows.size());
  for (const ApiRow& row : rows) numbers.push_back(row.api.number);
  ASSIGN_OR_RETURN(auto totals, parts.usage.totals(numbers));
  std::vector<json::object> apis;
  for (const ApiRow& row : rows) {
    ASSIGN_OR_RETURN(json::object api, row_json(parts, row, totals[row.api.number]));
    apis.push_back(std::move(api));
  }
  return apis;
}

Result<json::object> api_json(const ManagementParts& parts, const ApiRow& row) {
  ASSIGN_OR_RETURN(auto apis, apis_json(parts, {row}));
  return std::move(apis.front());
}

void add_state(json::object& api, const ServingState& state) {
  api["state"] = state.word;
  if (!state.reason.empty()) api["state_reason"] = state.reason;
  if (api.contains("instances")) api["ready_instances"] = state.ready_count;
}

void answer_with_state(const ManagementParts& parts, const ExchangePointer& exchange, int status,
                       json::object api) {
  const std::string id(api.at("id").as_string());
  auto body = std::make_shared<json::object>(std::move(api));
  parts.serving.describe({id}, [exchange, status, body](std::vector<ServingState> states) {
    if (!states.empty()) add_state(*body, states.front());
    exchange->answer(status, *body);
  });
}

void apply_and_answer(const ManagementParts& parts, const ExchangePointer& exchange, const ApiRow& row) {
  apply_catalog(parts.control, parts.apis, parts.serving, [parts, exchange, row](const Status& applied) {
    if (!applied.ok()) return exchange->fail(applied.error());
    auto api = api_json(parts, row);
    if (!api.ok()) return exchange->fail(api.error());
    answer_with_state(parts, exchange, 200, std::move(*api));
  });
}

Result<std::optional<json::object>> earlier_answer(const ManagementParts& parts, const Exchange& exchange) {
  const std::string& key = exchange.request.idempotency_key;
  if (key.empty()) return std::optional<json::object>();
  if (key.size() > 255) return invalid("the Idempotency-Key is longer than 255 bytes");
  ASSIGN_OR_RETURN(const auto record, parts.store.find_idempotency(exchange.principal.owner_id, key));
  if (!record) return std::optional<json::object>();
  if (record->fingerprint != fingerprint_of(exchange.request))
    return make_error(Code::kFailedPrecondition, "this Idempotency-Key was used for another request");
  ASSIGN_OR_RETURN(const Secret answer, parts.keyring.open(record->answer, purpose_of(exchange)));
  return std::optional<json::object>(json::parse(answer.reveal()).as_object());
}

Status keep_answer(const ManagementParts& parts, const Exchange& exchange, const json::object& answer) {
  const std::string& key = exchange.request.idempotency_key;
  if (key.empty()) return Ok{};
  return parts.store.add_idempotency({exchange.principal.owner_id, key, fingerprint_of(exchange.request),
                                      parts.keyring.seal(json::serialize(answer), purpose_of(exchange)),
                                      parts.clock.wall_us()});
}

Result<ApiRow> api_for(const ManagementParts& parts, const Exchange& exchange) {
  ASSIGN_OR_RETURN(ApiRow row, parts.apis.find(exchange.path.at("id")));
  // Somebody else's API is, for those who may not see it, no API.
  if (!may(exchange.principal, exchange.permission, row.api.owner_id))
    return make_error(Code::kNotFound, "there is no API with this id");
  return row;
}

}  // namespace noren::server
