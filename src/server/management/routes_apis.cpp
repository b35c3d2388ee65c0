// APIs: publish, list, show, delete, keys.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "server/management/api_answers.h"
#include "server/management/api_settings.h"
#include "server/store/words.h"

namespace noren::server {
namespace {

namespace json = boost::json;

Result<NewApi> new_api_of(const ManagementParts& parts, const Exchange& exchange) {
  ASSIGN_OR_RETURN(
      const json::object body,
      json_body(exchange.request,
                {"job", "type", "id", "key", "keep_output_names", "batching", "instance_type", "instances",
                 "threads", "schedule", "queue_limit", "rate_limit", "body_limit_bytes", "deadline_ms"}));
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
  TRY(take_settings(body, api.settings));
  TRY(check_members_fit(body, api.type));
  ASSIGN_OR_RETURN(const DescriptionFacts facts, read_description(api.job.description));
  api.ineligible_reasons = facts.reasons;
  return api;
}

}  // namespace

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
    return keep_answer(parts, *exchange, *answer);
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
  auto shown = apis_json(parts, *apis);
  if (!shown.ok()) return exchange->fail(shown.error());
  auto rows = std::make_shared<std::vector<json::object>>(std::move(*shown));
  std::vector<std::string> ids;
  for (const ApiRow& api : *apis) ids.push_back(api.api.id);
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

}  // namespace noren::server
