// APIs: publish, list, show, change, delete, keys, usage.
#include <charconv>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "server/blob/blob_store.h"
#include "server/management/api_answers.h"
#include "server/store/words.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr std::int32_t kUsageDaysCount = 3'660;

std::string url_of(const ManagementParts& parts, const ApiRow& row) {
  const bool dedicated = row.api.type == ExecutionType::kDedicated;
  return fmt::format("{}/v1/{}classifiers/{}/inference", parts.public_url(), dedicated ? "" : "serverless/",
                     row.api.id);
}

json::object counts_json(const OutcomeCounts& counts) {
  return {{"successes", counts.succeeded}, {"refused", counts.refused}, {"invalid", counts.invalid},
          {"timeouts", counts.timed_out},  {"failed", counts.failed},   {"abandoned", counts.abandoned}};
}

void add_state(json::object& api, const ServingState& state) {
  api["state"] = state.word;
  if (!state.reason.empty()) api["state_reason"] = state.reason;
}

Result<NewApi> new_api_of(const ManagementParts& parts, const Exchange& exchange) {
  ASSIGN_OR_RETURN(const json::object body, json_body(exchange.request, {"job", "type", "id", "key",
                                                                         "keep_output_names", "batching"}));
  NewApi api;
  ASSIGN_OR_RETURN(const std::string job_id, text_member(body, "job"));
  if (job_id.empty()) return invalid("'job' is missing: the id of the imported model to publish");
  auto job = parts.jobs.find(job_id);
  if (!job.ok()) return job.error();
  if (!may(exchange.principal, Permission::kReadJobs, job->owner_id))
    return make_error(Code::kNotFound, "there is no job with this id");
  api.job = std::move(*job);
  ASSIGN_OR_RETURN(const std::string type, text_member(body, "type"));
  if (!type.empty()) {
    ASSIGN_OR_RETURN(api.type, execution_type_of(type));
  }
  ASSIGN_OR_RETURN(api.id, text_member(body, "id"));
  ASSIGN_OR_RETURN(std::string key, text_member(body, "key"));
  api.key = Secret(std::move(key));
  TRY(take_flag(body, "keep_output_names", api.settings.keep_output_names));
  TRY(take_flag(body, "batching", api.settings.batching));
  ASSIGN_OR_RETURN(const DescriptionFacts facts, read_description(api.job.description));
  api.ineligible_reasons = facts.reasons;
  return api;
}

// A create with an Idempotency-Key that was answered before is answered the same again.

std::string fingerprint_of(const ManagementRequest& request) {
  return sha256_hex(
      bytes_of(request.method + " " + request.path + "?" + request.query + "\n" + request.body));
}

std::string purpose_of(const Exchange& exchange) {
  return "answer:" + exchange.principal.owner_id + ":" + exchange.request.idempotency_key;
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

}  // namespace

Result<json::object> api_json(const ManagementParts& parts, const ApiRow& row) {
  ASSIGN_OR_RETURN(const OutcomeCounts counts, parts.usage.total(row.api.number));
  json::object api = {{"id", row.api.id},
                      {"url", url_of(parts, row)},
                      {"type", execution_type_name(row.api.type)},
                      {"enabled", row.api.enabled},
                      {"project", row.project},
                      {"name", row.name},
                      {"version", row.api.version_label},
                      {"job", row.job_id},
                      {"created", format_utc(row.api.created_us)},
                      {"modified", format_utc(row.api.modified_us)},
                      {"cost_parameter", row.cost_parameter},
                      {"successes", counts.succeeded}};
  if (plan_of(row.owner_plan) == Plan::kFree) api["free_left"] = parts.usage.free_left(counts);
  return api;
}

/// Answers with one API, once its state is known.
void answer_with_state(const ManagementParts& parts, const ExchangePointer& exchange, int status,
                       json::object api) {
  const std::string id(api.at("id").as_string());
  auto body = std::make_shared<json::object>(std::move(api));
  parts.serving.describe({id}, [exchange, status, body](std::vector<ServingState> states) {
    if (!states.empty()) add_state(*body, states.front());
    exchange->answer(status, *body);
  });
}

Result<ApiRow> api_for(const ManagementParts& parts, const Exchange& exchange) {
  ASSIGN_OR_RETURN(ApiRow row, parts.apis.find(exchange.path.at("id")));
  // Somebody else's API is, for those who may not see it, no API.
  if (!may(exchange.principal, exchange.permission, row.api.owner_id))
    return make_error(Code::kNotFound, "there is no API with this id");
  return row;
}

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

void create_api(const ManagementParts& parts, const ExchangePointer& exchange) {
  auto earlier = earlier_answer(parts, *exchange);
  if (!earlier.ok()) return exchange->fail(earlier.error());
  if (*earlier) return answer_with_state(parts, exchange, 201, std::move(**earlier));
  const auto api = new_api_of(parts, *exchange);
  if (!api.ok()) return exchange->fail(api.error());
  auto answer = std::make_shared<json::object>();
  const auto made = parts.apis.publish(exchange->principal, *api, [&](const PublishedNow& now) -> Status {
    ASSIGN_OR_RETURN(*answer, api_json(parts, now.row));
    (*answer)["key"] = now.key.reveal();
    TRY(parts.store.add_audit(audit_of(*exchange, parts.clock.wall_us(), "api.publish", now.row.api.id)));
    const std::string& key = exchange->request.idempotency_key;
    if (key.empty()) return Ok{};
    return parts.store.add_idempotency({exchange->principal.owner_id, key, fingerprint_of(exchange->request),
                                        parts.keyring.seal(json::serialize(*answer), purpose_of(*exchange)),
                                        parts.clock.wall_us()});
  });
  if (!made.ok()) return exchange->fail(made.error());
  apply_catalog(parts.control, parts.apis, parts.serving, [parts, exchange, answer](const Status& applied) {
    if (!applied.ok()) return exchange->fail(applied.error());
    answer_with_state(parts, exchange, 201, std::move(*answer));
  });
}

void list_apis(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto query = parse_query(exchange->request.query, {"limit", "before"});
  if (!query.ok()) return exchange->fail(query.error());
  const auto page = page_of(*query);
  if (!page.ok()) return exchange->fail(page.error());
  const auto apis = parts.apis.list(exchange->principal.owner_id, *page);
  if (!apis.ok()) return exchange->fail(apis.error());
  auto rows = std::make_shared<std::vector<json::object>>();
  std::vector<std::string> ids;
  for (const ApiRow& api : *apis) {
    auto row = api_json(parts, api);
    if (!row.ok()) return exchange->fail(row.error());
    rows->push_back(std::move(*row));
    ids.push_back(api.api.id);
  }
  const bool more = static_cast<std::int64_t>(apis->size()) == page->limit_count;
  const std::int64_t next = more ? apis->back().api.number : 0;
  parts.serving.describe(std::move(ids), [exchange, rows, next](std::vector<ServingState> states) {
    json::array list;
    for (std::size_t i = 0; i < rows->size(); ++i) {
      if (i < states.size()) add_state((*rows)[i], states[i]);
      list.push_back(std::move((*rows)[i]));
    }
    json::object answer{{"apis", std::move(list)}};
    if (next != 0) answer["next_before"] = next;
    exchange->answer(200, answer);
  });
}

void show_api(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  auto api = api_json(parts, *row);
  if (!api.ok()) return exchange->fail(api.error());
  answer_with_state(parts, exchange, 200, std::move(*api));
}

void change_api(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  const auto body = json_body(exchange->request, {"enabled"});
  if (!body.ok()) return exchange->fail(body.error());
  bool enabled = row->api.enabled;
  const Status taken = take_flag(*body, "enabled", enabled);
  if (!taken.ok()) return exchange->fail(taken.error());
  const char* action = enabled ? "api.on" : "api.off";
  auto changed = parts.apis.change(*row, {.enabled = enabled}, [&] {
    return parts.store.add_audit(audit_of(*exchange, parts.clock.wall_us(), action, row->api.id));
  });
  if (!changed.ok()) return exchange->fail(changed.error());
  apply_catalog(parts.control, parts.apis, parts.serving,
                [parts, exchange, now = std::move(*changed)](const Status& applied) {
                  if (!applied.ok()) return exchange->fail(applied.error());
                  auto api = api_json(parts, now);
                  if (!api.ok()) return exchange->fail(api.error());
                  answer_with_state(parts, exchange, 200, std::move(*api));
                });
}

void delete_api(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  const auto removed = parts.apis.remove(*row, [&] {
    return parts.store.add_audit(audit_of(*exchange, parts.clock.wall_us(), "api.delete", row->api.id));
  });
  if (!removed.ok()) return exchange->fail(removed.error());
  apply_catalog(parts.control, parts.apis, parts.serving,
                [parts, exchange, id = row->api.id, blobs = removed->released_blobs](const Status& applied) {
                  if (!applied.ok()) return exchange->fail(applied.error());
                  parts.jobs.release_blobs(blobs);
                  exchange->answer(200, {{"id", id}, {"deleted", true}});
                });
}

void list_keys(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  const auto keys = parts.apis.keys(*row);
  if (!keys.ok()) return exchange->fail(keys.error());
  json::array list;
  for (const ShownKey& key : *keys)
    list.push_back({{"id", key.id},
                    {"name", key.name},
                    {"key", key.key.reveal()},
                    {"created", format_utc(key.created_us)}});
  exchange->answer(200, {{"keys", std::move(list)}});
}

void list_usage(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  const auto query = parse_query(exchange->request.query, {"days"});
  if (!query.ok()) return exchange->fail(query.error());
  const std::string text = query_value(*query, "days", "31");
  std::int32_t days = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), days);
  if (failure != std::errc{} || end != text.data() + text.size() || days < 1 || days > kUsageDaysCount)
    return exchange->fail(
        invalid(fmt::format("query parameter 'days' must be a number from 1 to {}", kUsageDaysCount)));
  const std::int32_t today = utc_day(parts.clock.wall_us());
  const auto usage = parts.usage.list(row->api.number, today - days + 1, today);
  const auto total = parts.usage.total(row->api.number);
  if (!usage.ok() || !total.ok()) return exchange->fail(usage.ok() ? total.error() : usage.error());
  json::array list;
  for (const DayUsage& day : *usage) {
    const std::string date = format_utc(std::int64_t{day.day} * 86'400'000'000).substr(0, 10);
    json::object row_of_day = counts_json(day.counts);
    row_of_day["day"] = date;
    list.push_back(std::move(row_of_day));
  }
  exchange->answer(200, {{"total", counts_json(*total)}, {"days", std::move(list)}});
}

}  // namespace noren::server
