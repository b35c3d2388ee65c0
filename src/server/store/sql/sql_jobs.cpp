#include "server/store/sql/store_impl.h"

namespace noren::server {

using soci::into;
using soci::use;

namespace {

constexpr const char* kJobColumns =
    "number, id, owner_id, project, name, file_name, upload_hash, package_hash, upload_bytes, "
    "cost_parameter, memory_bytes, kept, created_us, results";

/// Where a statement puts a job's columns, all but the description.
struct JobTarget {
  JobRecord job;
  long long number = 0, upload_bytes = 0, cost_parameter = 0, memory = 0, kept = 0, created = 0;

  JobRecord record() const {
    JobRecord copy = job;
    copy.number = number;
    copy.upload_bytes = upload_bytes;
    copy.cost_parameter = cost_parameter;
    copy.memory_bytes = memory;
    copy.kept = kept != 0;
    copy.created_us = created;
    return copy;
  }
};

}  // namespace

Result<std::int64_t> SqlStore::add_job(const JobRecord& job) {
  return session_.guarded("add_job", [&]() -> std::int64_t {
    const long long upload_bytes = job.upload_bytes, cost = job.cost_parameter, kept = job.kept ? 1 : 0;
    const long long memory = job.memory_bytes, created = job.created_us;
    session_.sql()
        << "INSERT INTO jobs (number, id, owner_id, project, name, file_name, upload_hash, package_hash, "
           "upload_bytes, cost_parameter, memory_bytes, description, kept, created_us, results) "
           "SELECT COALESCE(MAX(number), 0) + 1, :id, :owner, :project, :name, :file_name, :upload_hash, "
           ":package_hash, :upload_bytes, :cost, :memory, :description, :kept, :created, :results FROM jobs",
        use(job.id, "id"), use(job.owner_id, "owner"), use(job.project, "project"), use(job.name, "name"),
        use(job.file_name, "file_name"), use(job.upload_hash, "upload_hash"),
        use(job.package_hash, "package_hash"), use(upload_bytes, "upload_bytes"), use(cost, "cost"),
        use(memory, "memory"), use(job.description, "description"), use(kept, "kept"),
        use(created, "created"), use(job.results, "results");
    long long number = 0;
    session_.sql() << "SELECT number FROM jobs WHERE id = :id", into(number), use(job.id, "id");
    return number;
  });
}

Result<std::optional<JobRecord>> SqlStore::find_job(const std::string& id) {
  return session_.guarded("find_job", [&]() -> std::optional<JobRecord> {
    JobTarget t;
    std::string description;
    soci::statement select =
        (session_.sql().prepare << "SELECT " << kJobColumns << ", description FROM jobs WHERE id = :id",
         into(t.number), into(t.job.id), into(t.job.owner_id), into(t.job.project), into(t.job.name),
         into(t.job.file_name), into(t.job.upload_hash), into(t.job.package_hash), into(t.upload_bytes),
         into(t.cost_parameter), into(t.memory), into(t.kept), into(t.created), into(t.job.results),
         into(description), use(id, "id"));
    if (!select.execute(true)) return std::nullopt;
    JobRecord job = t.record();
    job.description = std::move(description);
    return job;
  });
}

Result<std::vector<JobRecord>> SqlStore::list_jobs(const std::string& owner_id, const std::string& project,
                                                   const Page& page) {
  return session_.guarded("list_jobs", [&] {
    std::vector<JobRecord> all;
    JobTarget t;
    const long long before = page.before_number, limit = page.limit_count;
    soci::statement select =
        (session_.sql().prepare << "SELECT " << kJobColumns
                                << " FROM jobs WHERE (:owner = '' OR owner_id = :owner) AND "
                                   "(:project = '' OR project = :project) AND (:before = 0 OR number < "
                                   ":before) ORDER BY number DESC LIMIT :limit",
         into(t.number), into(t.job.id), into(t.job.owner_id), into(t.job.project), into(t.job.name),
         into(t.job.file_name), into(t.job.upload_hash), into(t.job.package_hash), into(t.upload_bytes),
         into(t.cost_parameter), into(t.memory), into(t.kept), into(t.created), into(t.job.results),
         use(owner_id, "owner"), use(project, "project"), use(before, "before"), use(limit, "limit"));
    select.execute();
    while (select.fetch()) all.push_back(t.record());
    return all;
  });
}

Status SqlStore::delete_job(const std::string& id) {
  return session_.guarded("delete_job", [&] {
    session_.sql() << "DELETE FROM job_files WHERE job_id = :id", use(id, "id");
    session_.sql() << "DELETE FROM jobs WHERE id = :id", use(id, "id");
  });
}

Result<bool> SqlStore::job_is_used(const std::string& id) {
  return session_.guarded("job_is_used", [&] {
    long long count = 0;
    session_.sql() << "SELECT COUNT(*) FROM versions WHERE job_id = :id", into(count), use(id, "id");
    return count > 0;
  });
}

Result<std::vector<std::string>> SqlStore::unused_jobs(WallUs before_us) {
  return session_.guarded("unused_jobs", [&] {
    std::vector<std::string> all;
    std::string id;
    const long long before = before_us;
    soci::statement select =
        (session_.sql().prepare
             << "SELECT id FROM jobs WHERE kept = 0 AND created_us < :before AND NOT EXISTS "
                "(SELECT 1 FROM versions WHERE versions.job_id = jobs.id)",
         into(id), use(before, "before"));
    select.execute();
    while (select.fetch()) all.push_back(id);
    return all;
  });
}

Result<bool> SqlStore::blob_is_used(const std::string& name) {
  return session_.guarded("blob_is_used", [&] {
    long long count = 0;
    session_.sql() << "SELECT (SELECT COUNT(*) FROM jobs WHERE upload_hash = :name) + "
                      "(SELECT COUNT(*) FROM jobs WHERE package_hash = :name) + "
                      "(SELECT COUNT(*) FROM job_files WHERE blob_hash = :name)",
        into(count), use(name, "name");
    return count > 0;
  });
}

}  // namespace noren::server
