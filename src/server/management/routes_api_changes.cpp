// Changes to a published API: ON and OFF, its type, its settings.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "domain/names.h"
#include "server/management/api_answers.h"
#include "server/management/api_settings.h"
#include "server/store/words.h"

namespace noren::server {
namespace {

namespace json = boost::json;

/// What a PATCH asks for; the settings that it does not name stay as they are.
Result<ApiChange> change_of(const ManagementParts& parts, const Exchange& exchange, const ApiRow& row) {
  ASSIGN_OR_RETURN(
      const json::object body,
      json_body(exchange.request,
                {"enabled", "type", "name", "keep_output_names", "batching", "instance_type", "instances",
                 "threads", "schedule", "queue_limit", "rate_limit", "body_limit_bytes", "deadline_ms"}));
  ApiChange change;
  bool enabled = row.api.enabled;
  TRY(take_flag(body, "enabled", enabled));
  if (body.contains("enabled")) change.enabled = enabled;
  ExecutionType type = row.api.type;
  ASSIGN_OR_RETURN(const std::string type_word, text_member(body, "type"));
  if (!type_word.empty()) {
    ASSIGN_OR_RETURN(type, execution_type_of(type_word));
  }
  TRY(check_members_fit(body, type));
  if (type != row.api.type) {
    change.type = type;
    ASSIGN_OR_RETURN(const JobRecord job, parts.jobs.find(row.job_id));
    ASSIGN_OR_RETURN(const DescriptionFacts facts, read_description(job.description));
    change.ineligible_reasons = facts.reasons;
  }
  ASSIGN_OR_RETURN(ApiSettings settings, settings_from_json(row.api.settings));
  const ApiSettings before = settings;
  TRY(take_settings(body, settings));
  ASSIGN_OR_RETURN(const std::string name, text_member(body, "name"));
  if (body.contains("name")) TRY(check_name("the name", name));
  if (!name.empty()) settings.name = name;
  if (settings != before) change.settings = std::move(settings);
  return change;
}

/// The audit's word for a change: a plain switch has its own.
const char* action_of(const ApiChange& change) {
  if (change.type || change.settings || !change.enabled) return "api.update";
  return *change.enabled ? "api.on" : "api.off";
}

}  // namespace

void change_api(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  const auto change = change_of(parts, *exchange, *row);
  if (!change.ok()) return exchange->fail(change.error());
  auto changed = parts.apis.change(*row, *change, [&] {
    return parts.store.add_audit(
        audit_of(*exchange, parts.clock.wall_us(), action_of(*change), row->api.id, exchange->request.body));
  });
  if (!changed.ok()) return exchange->fail(changed.error());
  apply_and_answer(parts, exchange, *changed);
}

}  // namespace noren::server
