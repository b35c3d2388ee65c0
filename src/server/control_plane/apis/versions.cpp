#include "server/control_plane/apis/versions.h"

#include <algorithm>

#include <fmt/format.h>

namespace noren::server {
namespace {

Result<JobRecord> job_of(Store& store, const std::string& id) {
  ASSIGN_OR_RETURN(auto job, store.find_job(id));
  if (!job) return make_error(Code::kNotFound, "the model of this version was deleted meanwhile");
  return std::move(*job);
}

VersionToTry trial_of(const ApiRow& row, const std::string& label, const JobRecord& job) {
  return {row.api.id, label, job.package_hash, job.memory_bytes};
}

}  // namespace

Result<std::vector<ShownVersion>> Versions::list(const ApiRow& row) {
  ASSIGN_OR_RETURN(const std::vector<VersionRecord> records, store_.list_versions(row.api.number));
  std::vector<ShownVersion> versions;
  for (const VersionRecord& record : records) {
    ASSIGN_OR_RETURN(JobRecord job, job_of(store_, record.job_id));
    job.description.clear();
    versions.push_back({record, std::move(job), record.label == row.api.version_label});
  }
  return versions;
}

Result<VersionPlan> Versions::plan_new(const ApiRow& row, const NewVersion& version) {
  if (row.api.type == ExecutionType::kPerRequest) {
    const auto refusals =
        per_request_refusals(version.job.cost_parameter, version.ineligible_reasons, rules_);
    if (!refusals.empty())
      return make_error(
          Code::kFailedPrecondition,
          fmt::format("this API runs per request, and this model can't: {}", fmt::join(refusals, "; ")));
  }
  VersionPlan plan;
  plan.changes = interface_changes(version.before, version.after);
  if (!plan.changes.empty() && version.noticed == NoticedChanges::kRefuse)
    return make_error(
        Code::kFailedPrecondition,
        fmt::format("callers of this API would notice this model: {} (--accept-changes takes it "
                    "all the same)",
                    fmt::join(plan.changes, "; ")));
  ASSIGN_OR_RETURN(const std::vector<VersionRecord> versions, store_.list_versions(row.api.number));
  // Labels rise, even where the clock was set back.
  WallUs now_us = clock_.wall_us();
  for (const VersionRecord& each : versions) now_us = std::max(now_us, each.published_us + 1);
  plan.step = VersionPlan::Step::kAdd;
  plan.row = row;
  plan.version = {row.api.number, format_version(now_us), version.job.id, now_us};
  plan.trial = trial_of(row, plan.version.label, version.job);
  return plan;
}

Result<VersionPlan> Versions::plan_return(const ApiRow& row, const std::string& label) {
  ASSIGN_OR_RETURN(const std::vector<VersionRecord> versions, store_.list_versions(row.api.number));
  const auto found = std::ranges::find_if(versions, [&](const VersionRecord& each) {
    return label.empty() ? each.label < row.api.version_label : each.label == label;
  });
  if (found == versions.end())
    return make_error(Code::kNotFound, label.empty()
                                           ? "no older version of this API is kept"
                                           : fmt::format("no version {} of this API is kept", label));
  if (found->label == row.api.version_label)
    return make_error(Code::kFailedPrecondition, fmt::format("version {} serves already", found->label));
  ASSIGN_OR_RETURN(const JobRecord job, job_of(store_, found->job_id));
  VersionPlan plan;
  plan.step = VersionPlan::Step::kReturn;
  plan.row = row;
  plan.version = *found;
  plan.trial = trial_of(row, found->label, job);
  return plan;
}

Result<Versions::Switched> Versions::commit(const VersionPlan& plan,
                                            const std::function<Status(const Switched&)>& also) {
  Switched switched;
  TRY(store_.transaction([&]() -> Status {
    ASSIGN_OR_RETURN(const auto now, store_.find_api(plan.row.api.id));
    if (!now || now->api.number != plan.row.api.number)
      return make_error(Code::kNotFound, "the API was deleted meanwhile");
    if (now->api.version_label != plan.row.api.version_label || now->api.type != plan.row.api.type)
      return make_error(Code::kFailedPrecondition, "the API was changed meanwhile: look at it and try again");
    TRY(job_of(store_, plan.version.job_id));
    if (plan.step == VersionPlan::Step::kAdd) TRY(store_.add_version(plan.version));
    ApiRecord api = now->api;
    api.version_label = plan.version.label;
    api.modified_us = clock_.wall_us();
    TRY(store_.update_api(api));
    TRY(drop_old(api, switched));
    ASSIGN_OR_RETURN(auto row, store_.find_api(api.id));
    CHECK(row.has_value());
    switched.row = std::move(*row);
    return also ? also(switched) : Status(Ok{});
  }));
  return switched;
}

Status Versions::drop_old(const ApiRecord& api, Switched& switched) {
  ASSIGN_OR_RETURN(const std::vector<VersionRecord> versions, store_.list_versions(api.number));
  std::int64_t kept_count = 1;  // the one that serves
  for (const VersionRecord& version : versions) {
    if (version.label == api.version_label) continue;
    if (++kept_count <= rules_.versions_kept_count) continue;
    TRY(store_.delete_version(api.number, version.label));
    switched.dropped_labels.push_back(version.label);
    ASSIGN_OR_RETURN(const auto job, store_.find_job(version.job_id));
    ASSIGN_OR_RETURN(const bool used, store_.job_is_used(version.job_id));
    if (!job || job->kept || used) continue;
    TRY(store_.delete_job(job->id));
    switched.released_blobs.insert(switched.released_blobs.end(), {job->upload_hash, job->package_hash});
  }
  return Ok{};
}

}  // namespace noren::server
