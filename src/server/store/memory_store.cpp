#include <algorithm>
#include <map>
#include <set>

#include "server/store/store.h"

namespace noren::server {
namespace {

struct StoredApi {
  ApiRecord api;
  WallUs deleted_us = 0;
};

struct Tables {
  std::map<std::string, std::string> meta;
  std::vector<OwnerRecord> owners;
  std::vector<TokenRecord> tokens;
  std::vector<JobRecord> jobs;
  std::vector<JobFileRecord> job_files;
  std::vector<StoredApi> apis;
  std::vector<VersionRecord> versions;
  std::vector<KeyRecord> keys;
  std::map<std::tuple<std::uint32_t, std::int32_t, std::string>, OutcomeCounts> usage;
  std::map<std::tuple<std::uint32_t, int, std::string, WallUs>, InstanceTime> instance_time;
  std::map<std::pair<std::uint32_t, std::string>, std::int64_t> leases;
  std::vector<AuditRecord> audit;
  std::map<std::pair<std::string, std::string>, IdempotencyRecord> idempotency;
  std::int64_t last_job_number = 0;
};

constexpr std::int64_t OutcomeCounts::*kOutcomes[] = {&OutcomeCounts::succeeded, &OutcomeCounts::refused,
                                                      &OutcomeCounts::invalid,   &OutcomeCounts::timed_out,
                                                      &OutcomeCounts::failed,    &OutcomeCounts::abandoned};

void add(OutcomeCounts& sum, const OutcomeCounts& more) {
  for (const auto field : kOutcomes) sum.*field += more.*field;
}

Error exists() { return make_error(Code::kAlreadyExists, "it exists already"); }

template <typename Rows, typename Predicate>
auto find_row(const Rows& rows, Predicate predicate) -> std::optional<typename Rows::value_type> {
  const auto found = std::find_if(rows.begin(), rows.end(), predicate);
  if (found == rows.end()) return std::nullopt;
  return *found;
}

class MemoryStore final : public Store {
 public:
  Status transaction(const std::function<Status()>& work) override {
    const Tables before = t_;
    Status done = work();
    if (!done.ok()) t_ = before;
    return done;
  }

  Result<std::optional<std::string>> find_meta(const std::string& name) override {
    const auto found = t_.meta.find(name);
    if (found == t_.meta.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Status set_meta(const std::string& name, const std::string& text) override {
    t_.meta[name] = text;
    return Ok{};
  }

  Status add_owner(const OwnerRecord& owner) override {
    for (const auto& each : t_.owners)
      if (each.id == owner.id || each.name == owner.name) return exists();
    t_.owners.push_back(owner);
    return Ok{};
  }
  Result<std::optional<OwnerRecord>> find_owner(const std::string& id) override {
    return find_row(t_.owners, [&](const OwnerRecord& each) { return each.id == id; });
  }
  Result<std::optional<OwnerRecord>> find_owner_by_name(const std::string& name) override {
    return find_row(t_.owners, [&](const OwnerRecord& each) { return each.name == name; });
  }
  Status set_owner_plan(const std::string& id, OwnerPlan plan) override {
    for (auto& each : t_.owners)
      if (each.id == id) each.plan = plan;
    return Ok{};
  }
  Status add_token(const TokenRecord& token) override {
    for (const auto& each : t_.tokens)
      if (each.id == token.id || each.digest == token.digest) return exists();
    t_.tokens.push_back(token);
    return Ok{};
  }
  Result<std::optional<TokenRecord>> find_token(const std::string& digest) override {
    return find_row(t_.tokens, [&](const TokenRecord& each) { return each.digest == digest; });
  }

  Result<std::int64_t> add_job(const JobRecord& job) override {
    for (const auto& each : t_.jobs)
      if (each.id == job.id) return exists();
    t_.jobs.push_back(job);
    t_.jobs.back().number = ++t_.last_job_number;
    return t_.last_job_number;
  }
  Result<std::optional<JobRecord>> find_job(const std::string& id) override {
    return find_row(t_.jobs, [&](const JobRecord& each) { return each.id == id; });
  }
  Result<std::vector<JobRecord>> list_jobs(const std::string& owner_id, const std::string& project,
                                           const Page& page) override {
    std::vector<JobRecord> all;
    for (auto it = t_.jobs.rbegin(); it != t_.jobs.rend(); ++it) {
      if (!owner_id.empty() && it->owner_id != owner_id) continue;
      if (!project.empty() && it->project != project) continue;
      if (page.before_number != 0 && it->number >= page.before_number) continue;
      if (static_cast<std::int64_t>(all.size()) == page.limit_count) break;
      all.push_back(*it);
      all.back().description.clear();
    }
    return all;
  }
  Status delete_job(const std::string& id) override {
    std::erase_if(t_.jobs, [&](const JobRecord& each) { return each.id == id; });
    std::erase_if(t_.job_files, [&](const JobFileRecord& each) { return each.job_id == id; });
    return Ok{};
  }
  Status add_job_file(const JobFileRecord& file) override {
    for (const auto& each : t_.job_files)
      if (each.job_id == file.job_id && each.number == file.number) return exists();
    t_.job_files.push_back(file);
    return Ok{};
  }
  Result<std::vector<JobFileRecord>> list_job_files(const std::string& job_id) override {
    std::vector<JobFileRecord> all;
    for (const auto& each : t_.job_files)
      if (each.job_id == job_id) all.push_back(each);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    return all;
  }
  Result<std::vector<ProjectRow>> list_projects(const std::string& owner_id, const Page& page) override {
    std::vector<ProjectRow> all;
    for (auto it = t_.jobs.rbegin(); it != t_.jobs.rend(); ++it) {
      if (it->owner_id != owner_id) continue;
      auto row =
          std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == it->project; });
      if (row == all.end()) row = all.insert(row, {it->project, 0, it->number, it->created_us});
      ++row->jobs_count;
      row->newest_us = std::max(row->newest_us, it->created_us);
    }
    std::erase_if(all, [&](const ProjectRow& each) {
      return page.before_number != 0 && each.newest_number >= page.before_number;
    });
    if (static_cast<std::int64_t>(all.size()) > page.limit_count)
      all.resize(static_cast<std::size_t>(page.limit_count));
    return all;
  }
  Result<bool> job_is_used(const std::string& id) override {
    return find_row(t_.versions, [&](const VersionRecord& each) { return each.job_id == id; }).has_value();
  }
  Result<std::vector<std::string>> unused_jobs(WallUs before_us) override {
    std::vector<std::string> all;
    for (const auto& job : t_.jobs)
      if (!job.kept && job.created_us < before_us && !*job_is_used(job.id)) all.push_back(job.id);
    return all;
  }
  Result<bool> blob_is_used(const std::string& name) override {
    const auto file = find_row(t_.job_files, [&](const auto& each) { return each.blob_hash == name; });
    return file.has_value() || find_row(t_.jobs, [&](const JobRecord& each) {
                                 return each.upload_hash == name || each.package_hash == name;
                               }).has_value();
  }

  Result<std::uint32_t> add_api(const ApiRecord& api) override {
    for (const auto& each : t_.apis)
      if (each.deleted_us == 0 && each.api.id == api.id) return exists();
    t_.apis.push_back({api, 0});
    t_.apis.back().api.number = static_cast<std::uint32_t>(t_.apis.size());
    return t_.apis.back().api.number;
  }
  Result<std::optional<ApiRow>> find_api(const std::string& id) override {
    for (const auto& each : t_.apis)
      if (each.deleted_us == 0 && each.api.id == id) return row_of(each);
    return std::optional<ApiRow>();
  }
  Result<std::vector<ApiRow>> list_apis(const std::string& owner_id, const Page& page) override {
    std::vector<ApiRow> all;
    for (auto it = t_.apis.rbegin(); it != t_.apis.rend(); ++it) {
      if (it->deleted_us != 0 || (!owner_id.empty() && it->api.owner_id != owner_id)) continue;
      if (page.before_number != 0 && it->api.number >= page.before_number) continue;
      if (static_cast<std::int64_t>(all.size()) == page.limit_count) break;
      if (auto row = row_of(*it)) all.push_back(std::move(*row));
    }
    return all;
  }
  Status update_api(const ApiRecord& api) override {
    for (auto& each : t_.apis) {
      if (each.api.number != api.number || each.deleted_us != 0) continue;
      each.api.type = api.type;
      each.api.enabled = api.enabled;
      each.api.settings = api.settings;
      each.api.version_label = api.version_label;
      each.api.modified_us = api.modified_us;
    }
    return Ok{};
  }
  Status delete_api(std::uint32_t number, WallUs now_us) override {
    std::erase_if(t_.keys, [&](const KeyRecord& each) { return each.api_number == number; });
    std::erase_if(t_.versions, [&](const VersionRecord& each) { return each.api_number == number; });
    for (auto& each : t_.apis)
      if (each.api.number == number && each.deleted_us == 0) each.deleted_us = now_us;
    return Ok{};
  }
  Result<std::int64_t> count_apis_created(const std::string& owner_id, WallUs since_us) override {
    return std::count_if(t_.apis.begin(), t_.apis.end(), [&](const StoredApi& each) {
      return each.api.owner_id == owner_id && each.api.created_us >= since_us;
    });
  }

  Status add_version(const VersionRecord& version) override {
    for (const auto& each : t_.versions)
      if (each.api_number == version.api_number && each.label == version.label) return exists();
    t_.versions.push_back(version);
    return Ok{};
  }
  Result<std::vector<VersionRecord>> list_versions(std::uint32_t api_number) override {
    std::vector<VersionRecord> all;
    for (const auto& each : t_.versions)
      if (each.api_number == api_number) all.push_back(each);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.label > b.label; });
    return all;
  }
  Status delete_version(std::uint32_t api_number, const std::string& label) override {
    std::erase_if(t_.versions, [&](const VersionRecord& each) {
      return each.api_number == api_number && each.label == label;
    });
    return Ok{};
  }
  Status add_key(const KeyRecord& key) override {
    for (const auto& each : t_.keys)
      if (each.id == key.id) return exists();
    t_.keys.push_back(key);
    return Ok{};
  }
  Result<std::vector<KeyRecord>> list_keys(std::uint32_t api_number) override {
    std::vector<KeyRecord> all;
    for (const auto& each : t_.keys)
      if (api_number == 0 || each.api_number == api_number) all.push_back(each);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
      return std::tie(a.api_number, a.created_us, a.id) < std::tie(b.api_number, b.created_us, b.id);
    });
    return all;
  }

  Status put_usage(const std::vector<UsageRecord>& usage) override {
    for (const auto& each : usage) {
      if (each.api_number == 0 || each.api_number > t_.apis.size()) continue;
      OutcomeCounts& counts = t_.usage[{each.api_number, each.day, each.server_id}];
      for (const auto field : kOutcomes) counts.*field = std::max(counts.*field, each.counts.*field);
    }
    return Ok{};
  }
  Result<std::vector<DayUsage>> list_usage(std::uint32_t api_number, std::int32_t first_day,
                                           std::int32_t last_day) override {
    std::map<std::int32_t, OutcomeCounts> days;
    for (const auto& [key, counts] : t_.usage) {
      const auto& [number, day, server] = key;
      if (number == api_number && day >= first_day && day <= last_day) add(days[day], counts);
    }
    std::vector<DayUsage> all;
    all.reserve(days.size());
    for (const auto& [day, counts] : days) all.push_back({day, counts});
    return all;
  }
  Result<std::map<std::uint32_t, OutcomeCounts>> total_usage(
      const std::vector<std::uint32_t>& api_numbers) override {
    std::map<std::uint32_t, OutcomeCounts> totals;
    for (const auto& [key, counts] : t_.usage)
      if (std::ranges::count(api_numbers, std::get<0>(key)) > 0) add(totals[std::get<0>(key)], counts);
    return totals;
  }
  Status fold_other_servers(const std::string& server_id) override {
    decltype(t_.usage) folded;
    for (const auto& [key, counts] : t_.usage) {
      const auto& [number, day, server] = key;
      add(folded[{number, day, server == server_id ? server : ""}], counts);
    }
    t_.usage = std::move(folded);
    return Ok{};
  }
  Status put_instance_time(const std::string& server_id, const std::vector<InstanceTime>& rows) override {
    for (const InstanceTime& row : rows) {
      if (row.api_number == 0 || row.api_number > t_.apis.size()) continue;
      auto [at, is_new] =
          t_.instance_time.emplace(std::tuple(row.api_number, row.slot, server_id, row.span.from_us), row);
      WallUs& until_us = at->second.span.until_us;
      until_us = std::max(until_us, row.span.until_us);
    }
    return Ok{};
  }
  Result<std::vector<InstanceTime>> list_instance_time(
      const std::vector<std::uint32_t>& api_numbers) override {
    std::vector<InstanceTime> rows;
    for (const auto& [identity, row] : t_.instance_time)
      if (std::ranges::count(api_numbers, row.api_number) > 0) rows.push_back(row);
    return rows;
  }

  Result<std::int64_t> leased(std::uint32_t api_number) override {
    std::int64_t total = 0;
    for (const auto& [key, count] : t_.leases)
      if (key.first == api_number) total += count;
    return total;
  }
  Status add_lease(std::uint32_t api_number, const std::string& server_id,
                   std::int64_t change_count) override {
    t_.leases[{api_number, server_id}] += change_count;
    return Ok{};
  }

  Status add_audit(const AuditRecord& record) override {
    t_.audit.push_back(record);
    return Ok{};
  }
  Result<std::vector<AuditRecord>> list_audit(std::int64_t limit_count) override {
    const auto count = std::min<std::size_t>(t_.audit.size(), static_cast<std::size_t>(limit_count));
    return std::vector<AuditRecord>(t_.audit.rbegin(),
                                    t_.audit.rbegin() + static_cast<std::ptrdiff_t>(count));
  }
  Result<std::optional<IdempotencyRecord>> find_idempotency(const std::string& owner_id,
                                                            const std::string& key) override {
    const auto found = t_.idempotency.find({owner_id, key});
    if (found == t_.idempotency.end()) return std::optional<IdempotencyRecord>();
    return std::optional<IdempotencyRecord>(found->second);
  }
  Status add_idempotency(const IdempotencyRecord& record) override {
    const bool added = t_.idempotency.emplace(std::pair(record.owner_id, record.key), record).second;
    if (!added) return exists();
    return Ok{};
  }
  Status forget_idempotency(WallUs before_us) override {
    std::erase_if(t_.idempotency, [&](const auto& each) { return each.second.created_us < before_us; });
    return Ok{};
  }

 private:
  std::optional<ApiRow> row_of(const StoredApi& stored) {
    const ApiRecord& api = stored.api;
    const auto version = find_row(t_.versions, [&](const VersionRecord& each) {
      return each.api_number == api.number && each.label == api.version_label;
    });
    if (!version) return std::nullopt;
    const auto job = *find_job(version->job_id);
    const auto owner = *find_owner(api.owner_id);
    if (!job || !owner) return std::nullopt;
    return ApiRow{api,         job->id,           job->project,
                  job->name,   job->package_hash, job->cost_parameter,
                  owner->plan, job->memory_bytes};
  }

  Tables t_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace noren::server
