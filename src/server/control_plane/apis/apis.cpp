#include "server/control_plane/apis/apis.h"

#include <fmt/format.h>

#include "domain/names.h"
#include "domain/quota.h"
#include "server/store/words.h"

namespace noren::server {
namespace {

constexpr const char* kFirstKeyName = "first";

std::string purpose_of_key(const std::string& key_id) { return "api-key:" + key_id; }

Error no_such_api() { return make_error(Code::kNotFound, "there is no API with this id"); }

}  // namespace

std::vector<std::string> per_request_refusals(std::int64_t cost_parameter,
                                              const std::vector<std::string>& reasons,
                                              const ApiRules& rules) {
  std::vector<std::string> all;
  if (cost_parameter >= rules.per_request_cost_count)
    all.push_back(fmt::format("CostParameter is {}, it must be under {}", cost_parameter,
                              rules.per_request_cost_count));
  all.insert(all.end(), reasons.begin(), reasons.end());
  return all;
}

/// What a model and its owner need for the type.
Status Apis::check_type(Plan plan, ExecutionType type, std::int64_t cost_parameter,
                        const std::vector<std::string>& ineligible_reasons) const {
  if (type == ExecutionType::kDedicated) {
    if (plan == Plan::kPaid) return Ok{};
    return make_error(Code::kPermissionDenied,
                      "a dedicated instance needs a paid plan (a contract or a card)");
  }
  const auto refusals = per_request_refusals(cost_parameter, ineligible_reasons, rules_);
  if (refusals.empty()) return Ok{};
  return make_error(Code::kFailedPrecondition,
                    fmt::format("this model can't be published per request, only as dedicated: {}",
                                fmt::join(refusals, "; ")));
}

Status Apis::check_free_plan(const Principal& owner) {
  if (owner.plan == Plan::kPaid) return Ok{};
  ASSIGN_OR_RETURN(const std::int64_t created,
                   store_.count_apis_created(owner.owner_id, month_start_us(clock_.wall_us())));
  if (created >= rules_.free_apis_per_month_count)
    return make_error(
        Code::kPermissionDenied,
        fmt::format("the free plan creates at most {} APIs a month, and this month's are used up",
                    rules_.free_apis_per_month_count));
  return Ok{};
}

Result<PublishedNow> Apis::publish(const Principal& owner, const NewApi& api,
                                   const std::function<Status(const PublishedNow&)>& also) {
  if (!api.id.empty()) TRY(check_api_id(api.id));
  if (!api.key.empty()) TRY(check_api_key(api.key.reveal()));
  TRY(check_settings(api.settings, api.type, rules_));
  TRY(check_type(owner.plan, api.type, api.job.cost_parameter, api.ineligible_reasons));
  TRY(check_free_plan(owner));
  const WallUs now_us = clock_.wall_us();
  PublishedNow made;
  made.key = api.key.empty() ? Secret(random_uuid()) : api.key;
  TRY(store_.transaction([&]() -> Status {
    ApiRecord record;
    record.id = api.id.empty() ? random_id() : api.id;
    record.owner_id = owner.owner_id;
    record.type = api.type;
    record.settings = to_json(api.settings);
    record.version_label = format_version(now_us);
    record.created_us = record.modified_us = now_us;
    auto number = store_.add_api(record);
    if (!number.ok() && number.error().code == Code::kAlreadyExists)
      return make_error(Code::kAlreadyExists,
                        fmt::format("an API with the id '{}' exists already", record.id));
    if (!number.ok()) return number.error();
    TRY(store_.add_version({*number, record.version_label, api.job.id, now_us}));
    KeyRecord key{random_id(), *number, kFirstKeyName, keyring_.digest_api_key(made.key), "", now_us};
    key.sealed = keyring_.seal(made.key.reveal(), purpose_of_key(key.id));
    TRY(store_.add_key(key));
    ASSIGN_OR_RETURN(made.row, find(record.id));
    return also ? also(made) : Status(Ok{});
  }));
  return made;
}

Result<ApiRow> Apis::find(const std::string& id) {
  ASSIGN_OR_RETURN(auto row, store_.find_api(id));
  if (!row) return no_such_api();
  return std::move(*row);
}

Result<std::vector<ApiRow>> Apis::list(const std::string& owner_id, const Page& page) {
  return store_.list_apis(owner_id, page);
}

Result<ApiRow> Apis::change(const ApiRow& row, const ApiChange& change, const std::function<Status()>& also) {
  ApiRecord api = row.api;
  if (change.enabled) api.enabled = *change.enabled;
  if (change.type && *change.type != api.type) {
    TRY(check_type(plan_of(row.owner_plan), *change.type, row.cost_parameter, change.ineligible_reasons));
    api.type = *change.type;
  }
  if (change.settings || change.type) {
    ASSIGN_OR_RETURN(const ApiSettings before, settings_from_json(api.settings));
    const ApiSettings& settings = change.settings ? *change.settings : before;
    TRY(check_settings(settings, api.type, rules_));
    api.settings = to_json(settings);
  }
  api.modified_us = clock_.wall_us();
  TRY(store_.transaction([&]() -> Status {
    TRY(store_.update_api(api));
    return also ? also() : Status(Ok{});
  }));
  return find(api.id);
}

Result<Apis::Removed> Apis::remove(const ApiRow& row, const std::function<Status()>& also) {
  Removed removed;
  TRY(store_.transaction([&]() -> Status {
    ASSIGN_OR_RETURN(const std::vector<VersionRecord> versions, store_.list_versions(row.api.number));
    TRY(store_.delete_api(row.api.number, clock_.wall_us()));
    for (const VersionRecord& version : versions) {
      ASSIGN_OR_RETURN(const auto job, store_.find_job(version.job_id));
      ASSIGN_OR_RETURN(const bool used, store_.job_is_used(version.job_id));
      if (!job || job->kept || used) continue;
      ASSIGN_OR_RETURN(const std::vector<JobFileRecord> files, store_.list_job_files(job->id));
      for (const JobFileRecord& file : files) removed.released_blobs.push_back(file.blob_hash);
      TRY(store_.delete_job(job->id));
      removed.released_blobs.insert(removed.released_blobs.end(), {job->upload_hash, job->package_hash});
    }
    return also ? also() : Status(Ok{});
  }));
  return removed;
}

Result<std::vector<ShownKey>> Apis::keys(const ApiRow& row) {
  ASSIGN_OR_RETURN(const std::vector<KeyRecord> records, store_.list_keys(row.api.number));
  std::vector<ShownKey> keys;
  for (const KeyRecord& record : records) {
    ASSIGN_OR_RETURN(Secret key, keyring_.open(record.sealed, purpose_of_key(record.id)));
    keys.push_back({record.id, record.name, std::move(key), record.created_us});
  }
  return keys;
}

}  // namespace noren::server
