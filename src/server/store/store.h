// server/store/store.h - The store: everything that outlives the process except blobs, as records.
// Called on the control thread only; may wait for the disk. A call stands for itself unless it runs inside
// transaction(). It decides nothing: what may happen is the control plane's. One contract test runs over
// every implementation.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/instance_meter.h"
#include "server/store/records.h"
#include "server/store/result_records.h"

namespace noren::server {

struct Page {
  std::int64_t before_number = 0;  ///< newest first; 0: from the newest
  std::int64_t limit_count = 100;
};

class Store {
 public:
  virtual ~Store() = default;

  /// All of `work` or nothing of it: an error rolls everything back and is returned. Not nested.
  virtual Status transaction(const std::function<Status()>& work) = 0;

  // Small named texts of the store itself.
  virtual Result<std::optional<std::string>> find_meta(const std::string& name) = 0;
  virtual Status set_meta(const std::string& name, const std::string& text) = 0;

  // Owners and their tokens. kAlreadyExists for a name or a digest that is taken.
  virtual Status add_owner(const OwnerRecord& owner) = 0;
  virtual Result<std::optional<OwnerRecord>> find_owner(const std::string& id) = 0;
  virtual Result<std::optional<OwnerRecord>> find_owner_by_name(const std::string& name) = 0;
  virtual Status set_owner_plan(const std::string& id, OwnerPlan plan) = 0;
  virtual Status add_token(const TokenRecord& token) = 0;
  virtual Result<std::optional<TokenRecord>> find_token(const std::string& digest) = 0;

  // Jobs.
  virtual Result<std::int64_t> add_job(const JobRecord& job) = 0;
  virtual Result<std::optional<JobRecord>> find_job(const std::string& id) = 0;
  /// Empty owner, empty project: of all.
  virtual Result<std::vector<JobRecord>> list_jobs(const std::string& owner_id, const std::string& project,
                                                   const Page& page) = 0;
  /// Its files go with it.
  virtual Status delete_job(const std::string& id) = 0;
  virtual Status add_job_file(const JobFileRecord& file) = 0;
  virtual Result<std::vector<JobFileRecord>> list_job_files(const std::string& job_id) = 0;
  /// Those with the newest job first; a page goes by the number of that job.
  virtual Result<std::vector<ProjectRow>> list_projects(const std::string& owner_id, const Page& page) = 0;
  virtual Result<bool> job_is_used(const std::string& id) = 0;
  /// Jobs that publish made before `before_us` and that no version uses.
  virtual Result<std::vector<std::string>> unused_jobs(WallUs before_us) = 0;
  virtual Result<bool> blob_is_used(const std::string& name) = 0;

  // APIs. Deleted ones keep their number, owner and usage, and are found by nothing else.
  /// Returns the number. kAlreadyExists where an API has the id.
  virtual Result<std::uint32_t> add_api(const ApiRecord& api) = 0;
  virtual Result<std::optional<ApiRow>> find_api(const std::string& id) = 0;
  /// Empty owner: of everybody.
  virtual Result<std::vector<ApiRow>> list_apis(const std::string& owner_id, const Page& page) = 0;
  /// Type, enabled, settings, version and modified of `api`, by number.
  virtual Status update_api(const ApiRecord& api) = 0;
  /// Its versions and keys go with it.
  virtual Status delete_api(std::uint32_t number, WallUs now_us) = 0;
  virtual Result<std::int64_t> count_apis_created(const std::string& owner_id, WallUs since_us) = 0;

  // Versions, newest first.
  virtual Status add_version(const VersionRecord& version) = 0;
  virtual Result<std::vector<VersionRecord>> list_versions(std::uint32_t api_number) = 0;
  virtual Status delete_version(std::uint32_t api_number, const std::string& label) = 0;

  // Keys. number 0 lists the keys of all APIs.
  virtual Status add_key(const KeyRecord& key) = 0;
  virtual Result<std::vector<KeyRecord>> list_keys(std::uint32_t api_number) = 0;

  // Usage. Counts are absolute, so writing one twice changes nothing; a smaller one is ignored, and so are
  // those of a number that no API ever had (counters beside a restored store).
  virtual Status put_usage(const std::vector<UsageRecord>& usage) = 0;
  virtual Result<std::vector<DayUsage>> list_usage(std::uint32_t api_number, std::int32_t first_day,
                                                   std::int32_t last_day) = 0;
  /// By API number; those without any are left out.
  virtual Result<std::map<std::uint32_t, OutcomeCounts>> total_usage(
      const std::vector<std::uint32_t>& api_numbers) = 0;
  /// Adds the counts of all servers but this one into one row a day: for a server that is alone on its store.
  virtual Status fold_other_servers(const std::string& server_id) = 0;

  // How long instances ran. A row is known by its server, API, slot and beginning: written again it only
  // grows. Rows of a number that no API ever had are ignored.
  virtual Status put_instance_time(const std::string& server_id, const std::vector<InstanceTime>& rows) = 0;
  /// Of all servers, in no order.
  virtual Result<std::vector<InstanceTime>> list_instance_time(
      const std::vector<std::uint32_t>& api_numbers) = 0;

  // Leases of free requests: what was handed out to a server, less what it gave back.
  virtual Result<std::int64_t> leased(std::uint32_t api_number) = 0;
  virtual Status add_lease(std::uint32_t api_number, const std::string& server_id,
                           std::int64_t change_count) = 0;

  virtual Status add_audit(const AuditRecord& record) = 0;
  virtual Result<std::vector<AuditRecord>> list_audit(std::int64_t limit_count) = 0;

  virtual Result<std::optional<IdempotencyRecord>> find_idempotency(const std::string& owner_id,
                                                                    const std::string& key) = 0;
  virtual Status add_idempotency(const IdempotencyRecord& record) = 0;
  virtual Status forget_idempotency(WallUs before_us) = 0;
};

/// The twin in memory, for tests.
std::unique_ptr<Store> make_memory_store();

}  // namespace noren::server
