// Versions of an API: list them, replace the one that serves, go back to one. What is to serve is tried
// first, beside the one that serves; only then anything changes.
#include "server/management/api_answers.h"
#include "server/management/api_settings.h"

namespace noren::server {
namespace {

namespace json = boost::json;

json::object version_json(const ShownVersion& version) {
  return {{"version", version.record.label},
          {"serves", version.serves},
          {"job", version.job.id},
          {"project", version.job.project},
          {"name", version.job.name},
          {"file_name", version.job.file_name},
          {"cost_parameter", version.job.cost_parameter},
          {"published", format_utc(version.record.published_us)}};
}

Result<JobRecord> job_named(const ManagementParts& parts, const Exchange& exchange, const std::string& id) {
  if (id.empty()) return invalid("'job' is missing: the id of the imported model that is to serve");
  ASSIGN_OR_RETURN(JobRecord job, parts.jobs.find(id));
  if (!may(exchange.principal, Permission::kReadJobs, job.owner_id))
    return make_error(Code::kNotFound, "there is no job with this id");
  return job;
}

Result<VersionPlan> plan_replacement(const ManagementParts& parts, const Exchange& exchange,
                                     const ApiRow& row) {
  ASSIGN_OR_RETURN(const json::object body, json_body(exchange.request, {"job", "accept_changes"}));
  ASSIGN_OR_RETURN(const std::string job_id, text_member(body, "job"));
  bool accepted = false;
  TRY(take_flag(body, "accept_changes", accepted));
  NewVersion version;
  ASSIGN_OR_RETURN(version.job, job_named(parts, exchange, job_id));
  ASSIGN_OR_RETURN(const JobRecord current, parts.jobs.find(row.job_id));
  ASSIGN_OR_RETURN(version.before, read_interface(current.description));
  ASSIGN_OR_RETURN(version.after, read_interface(version.job.description));
  ASSIGN_OR_RETURN(const DescriptionFacts facts, read_description(version.job.description));
  version.ineligible_reasons = facts.reasons;
  version.noticed = accepted ? NoticedChanges::kAccept : NoticedChanges::kRefuse;
  return parts.versions.plan_new(row, version);
}

Result<VersionPlan> plan_rollback(const ManagementParts& parts, const Exchange& exchange, const ApiRow& row) {
  std::string label;
  if (exchange.request.body_size_bytes > 0) {
    ASSIGN_OR_RETURN(const json::object body, json_body(exchange.request, {"version"}));
    ASSIGN_OR_RETURN(label, text_member(body, "version"));
  }
  return parts.versions.plan_return(row, label);
}

Result<json::object> switched_json(const ManagementParts& parts, const VersionPlan& plan,
                                   const Versions::Switched& switched) {
  ASSIGN_OR_RETURN(json::object answer, api_json(parts, switched.row));
  answer["replaced"] = plan.row.api.version_label;
  answer["changes"] = json::array(plan.changes.begin(), plan.changes.end());
  answer["dropped"] = json::array(switched.dropped_labels.begin(), switched.dropped_labels.end());
  return answer;
}

/// The version stands ready: it serves from the next catalog on.
void commit(const ManagementParts& parts, const ExchangePointer& exchange, const VersionPlan& plan) {
  const bool is_new = plan.step == VersionPlan::Step::kAdd;
  auto answer = std::make_shared<json::object>();
  const auto switched = parts.versions.commit(plan, [&](const Versions::Switched& now) -> Status {
    ASSIGN_OR_RETURN(*answer, switched_json(parts, plan, now));
    TRY(parts.store.add_audit(audit_of(*exchange, parts.clock.wall_us(),
                                       is_new ? "api.replace" : "api.rollback", plan.row.api.id,
                                       plan.row.api.version_label + " -> " + plan.version.label)));
    return keep_answer(parts, *exchange, *answer);
  });
  if (!switched.ok()) {
    parts.serving.drop_version(plan.row.api.id);
    return exchange->fail(switched.error());
  }
  apply_catalog(parts.control, parts.apis, parts.serving,
                [parts, exchange, answer, blobs = switched->released_blobs](const Status& applied) {
                  parts.jobs.release_blobs(blobs);
                  if (!applied.ok()) return exchange->fail(applied.error());
                  answer_with_state(parts, exchange, 200, std::move(*answer));
                });
}

void try_and_commit(const ManagementParts& parts, const ExchangePointer& exchange, const VersionPlan& plan) {
  const auto& hang_up = exchange->request.hang_up;
  parts.serving.try_version(plan.trial, hang_up, [parts, exchange, plan](const Status& tried) {
    parts.control.post([parts, exchange, plan, tried] {
      if (exchange->is_given_up()) {
        if (tried.ok()) parts.serving.drop_version(plan.row.api.id);
        return exchange->fail(hung_up());
      }
      if (tried.ok()) return commit(parts, exchange, plan);
      Error error = tried.error();
      error.text = "version " + plan.row.api.version_label +
                   " goes on serving, the other one was not taken: " + error.text;
      exchange->fail(error);
    });
  });
}

using Planner = Result<VersionPlan> (*)(const ManagementParts&, const Exchange&, const ApiRow&);

void switch_version(const ManagementParts& parts, const ExchangePointer& exchange, Planner planner) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  auto earlier = earlier_answer(parts, *exchange);
  if (!earlier.ok()) return exchange->fail(earlier.error());
  if (*earlier) return answer_with_state(parts, exchange, 200, std::move(**earlier));
  const auto plan = planner(parts, *exchange, *row);
  if (!plan.ok()) return exchange->fail(plan.error());
  try_and_commit(parts, exchange, *plan);
}

}  // namespace

void list_versions(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  const auto versions = parts.versions.list(*row);
  if (!versions.ok()) return exchange->fail(versions.error());
  json::array list;
  for (const ShownVersion& version : *versions) list.push_back(version_json(version));
  exchange->answer(200, {{"versions", std::move(list)}});
}

void replace_version(const ManagementParts& parts, const ExchangePointer& exchange) {
  switch_version(parts, exchange, plan_replacement);
}

void roll_back(const ManagementParts& parts, const ExchangePointer& exchange) {
  switch_version(parts, exchange, plan_rollback);
}

}  // namespace noren::server
