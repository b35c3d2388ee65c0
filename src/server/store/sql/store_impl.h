// The SQL store's class; its methods stand in one .cpp a noun.
#pragma once

#include "server/store/sql/session.h"

namespace noren::server {

class SqlStore final : public Store {
 public:
  explicit SqlStore(SqlSession session) : session_(std::move(session)) {}
  Status prepare() { return migrate(session_); }

  Status transaction(const std::function<Status()>& work) override;

  Result<std::optional<std::string>> find_meta(const std::string& name) override;
  Status set_meta(const std::string& name, const std::string& text) override;

  Status add_owner(const OwnerRecord& owner) override;
  Result<std::optional<OwnerRecord>> find_owner(const std::string& id) override;
  Result<std::optional<OwnerRecord>> find_owner_by_name(const std::string& name) override;
  Status set_owner_plan(const std::string& id, OwnerPlan plan) override;
  Status add_token(const TokenRecord& token) override;
  Result<std::optional<TokenRecord>> find_token(const std::string& digest) override;

  Result<std::int64_t> add_job(const JobRecord& job) override;
  Result<std::optional<JobRecord>> find_job(const std::string& id) override;
  Result<std::vector<JobRecord>> list_jobs(const std::string& owner_id, const std::string& project,
                                           const Page& page) override;
  Status delete_job(const std::string& id) override;
  Status add_job_file(const JobFileRecord& file) override;
  Result<std::vector<JobFileRecord>> list_job_files(const std::string& job_id) override;
  Result<std::vector<ProjectRow>> list_projects(const std::string& owner_id, const Page& page) override;
  Result<bool> job_is_used(const std::string& id) override;
  Result<std::vector<std::string>> unused_jobs(WallUs before_us) override;
  Result<bool> blob_is_used(const std::string& name) override;

  Result<std::uint32_t> add_api(const ApiRecord& api) override;
  Result<std::optional<ApiRow>> find_api(const std::string& id) override;
  Result<std::vector<ApiRow>> list_apis(const std::string& owner_id, const Page& page) override;
  Status update_api(const ApiRecord& api) override;
  Status delete_api(std::uint32_t number, WallUs now_us) override;
  Result<std::int64_t> count_apis_created(const std::string& owner_id, WallUs since_us) override;

  Status add_version(const VersionRecord& version) override;
  Result<std::vector<VersionRecord>> list_versions(std::uint32_t api_number) override;
  Status delete_version(std::uint32_t api_number, const std::string& label) override;
  Status add_key(const KeyRecord& key) override;
  Result<std::vector<KeyRecord>> list_keys(std::uint32_t api_number) override;

  Status put_usage(const std::vector<UsageRecord>& usage) override;
  Result<std::vector<DayUsage>> list_usage(std::uint32_t api_number, std::int32_t first_day,
                                           std::int32_t last_day) override;
  Result<std::map<std::uint32_t, OutcomeCounts>> total_usage(
      const std::vector<std::uint32_t>& api_numbers) override;
  Status fold_other_servers(const std::string& server_id) override;
  Status put_instance_time(const std::string& server_id, const std::vector<InstanceTime>& rows) override;
  Result<std::vector<InstanceTime>> list_instance_time(
      const std::vector<std::uint32_t>& api_numbers) override;
  Result<std::int64_t> leased(std::uint32_t api_number) override;
  Status add_lease(std::uint32_t api_number, const std::string& server_id,
                   std::int64_t change_count) override;

  Status add_audit(const AuditRecord& record) override;
  Result<std::vector<AuditRecord>> list_audit(std::int64_t limit_count) override;
  Result<std::optional<IdempotencyRecord>> find_idempotency(const std::string& owner_id,
                                                            const std::string& key) override;
  Status add_idempotency(const IdempotencyRecord& record) override;
  Status forget_idempotency(WallUs before_us) override;

 private:
  Result<std::optional<OwnerRecord>> find_owner_where(const char* condition, const std::string& value);
  Result<std::vector<ApiRow>> select_apis(const char* condition, const std::string& text, const Page& page);

  SqlSession session_;
  bool in_transaction_ = false;
};

}  // namespace noren::server
