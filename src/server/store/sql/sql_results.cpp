// The files of jobs, and the projects that jobs belong to.
#include "server/store/sql/store_impl.h"

namespace noren::server {

using soci::into;
using soci::use;

Status SqlStore::add_job_file(const JobFileRecord& file) {
  return session_.guarded("add_job_file", [&] {
    const long long number = file.number, size_bytes = file.size_bytes;
    const long long first_row = file.first_row, rows_count = file.rows_count;
    session_.sql() << "INSERT INTO job_files (job_id, number, kind, name, blob_hash, size_bytes, first_row, "
                      "rows_count) VALUES (:job, :number, :kind, :name, :blob, :size, :first, :rows)",
        use(file.job_id, "job"), use(number, "number"), use(file.kind, "kind"), use(file.name, "name"),
        use(file.blob_hash, "blob"), use(size_bytes, "size"), use(first_row, "first"),
        use(rows_count, "rows");
  });
}

Result<std::vector<JobFileRecord>> SqlStore::list_job_files(const std::string& job_id) {
  return session_.guarded("list_job_files", [&] {
    std::vector<JobFileRecord> all;
    JobFileRecord file;
    long long number = 0, size_bytes = 0, first_row = 0, rows_count = 0;
    soci::statement select =
        (session_.sql().prepare << "SELECT job_id, number, kind, name, blob_hash, size_bytes, first_row, "
                                   "rows_count FROM job_files WHERE job_id = :job ORDER BY number",
         into(file.job_id), into(number), into(file.kind), into(file.name), into(file.blob_hash),
         into(size_bytes), into(first_row), into(rows_count), use(job_id, "job"));
    select.execute();
    while (select.fetch()) {
      file.number = number;
      file.size_bytes = size_bytes;
      file.first_row = first_row;
      file.rows_count = rows_count;
      all.push_back(file);
    }
    return all;
  });
}

Result<std::vector<ProjectRow>> SqlStore::list_projects(const std::string& owner_id, const Page& page) {
  return session_.guarded("list_projects", [&] {
    std::vector<ProjectRow> all;
    std::string name;
    long long jobs_count = 0, newest_number = 0, newest_us = 0;
    const long long before = page.before_number, limit = page.limit_count;
    soci::statement select =
        (session_.sql().prepare
             << "SELECT project, COUNT(*), MAX(number), MAX(created_us) FROM jobs WHERE owner_id = :owner "
                "GROUP BY project HAVING (:before = 0 OR MAX(number) < :before) "
                "ORDER BY MAX(number) DESC LIMIT :limit",
         into(name), into(jobs_count), into(newest_number), into(newest_us), use(owner_id, "owner"),
         use(before, "before"), use(limit, "limit"));
    select.execute();
    while (select.fetch()) all.push_back({name, jobs_count, newest_number, newest_us});
    return all;
  });
}

}  // namespace noren::server
