#include "server/control_plane/jobs/jobs.h"

#include "base/log.h"
#include "base/secret.h"

namespace noren::server {

void Jobs::end_import() {
  CHECK(imports_count_ > 0);
  --imports_count_;
  collect();
}

Result<KeptFiles> Jobs::keep_files(const UniqueFd& upload, const UniqueFd& package) {
  KeptFiles files;
  ASSIGN_OR_RETURN(const Mapping upload_bytes, Mapping::map(upload.get()));
  ASSIGN_OR_RETURN(const Mapping package_bytes, Mapping::map(package.get()));
  ASSIGN_OR_RETURN(files.upload_hash, blobs_.put(upload_bytes.bytes()));
  ASSIGN_OR_RETURN(files.package_hash, blobs_.put(package_bytes.bytes()));
  files.upload_bytes = static_cast<std::int64_t>(upload_bytes.bytes().size());
  return files;
}

Result<JobRecord> Jobs::add(const NewJob& job, const KeptFiles& files) {
  CHECK(imports_count_ > 0);
  ASSIGN_OR_RETURN(const DescriptionFacts facts, read_description(job.description));
  JobRecord record;
  record.id = random_id();
  record.owner_id = job.owner_id;
  record.project = job.project;
  record.name = job.name;
  record.file_name = job.file_name;
  record.upload_hash = files.upload_hash;
  record.package_hash = files.package_hash;
  record.upload_bytes = files.upload_bytes;
  record.cost_parameter = facts.cost_parameter;
  record.memory_bytes = facts.memory_bytes;
  record.description = job.description;
  record.kept = job.kept;
  record.created_us = clock_.wall_us();
  ASSIGN_OR_RETURN(record.number, store_.add_job(record));
  return record;
}

Result<JobRecord> Jobs::find(const std::string& id) {
  ASSIGN_OR_RETURN(auto job, store_.find_job(id));
  if (!job) return make_error(Code::kNotFound, "there is no job with this id");
  return std::move(*job);
}

Result<std::vector<JobRecord>> Jobs::list(const std::string& owner_id, const Page& page) {
  return store_.list_jobs(owner_id, page);
}

Status Jobs::remove(const JobRecord& job, const std::function<Status()>& also) {
  const Status removed = store_.transaction([&]() -> Status {
    ASSIGN_OR_RETURN(const bool used, store_.job_is_used(job.id));
    if (used)
      return make_error(Code::kFailedPrecondition, "an API still uses this job: delete the API first");
    TRY(store_.delete_job(job.id));
    return also ? also() : Status(Ok{});
  });
  if (removed.ok()) release_blobs({job.upload_hash, job.package_hash});
  return removed;
}

Status Jobs::remove_abandoned(WallUs before_us) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, store_.unused_jobs(before_us));
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const auto job, store_.find_job(id));
    if (job) TRY(remove(*job));
  }
  return Ok{};
}

void Jobs::release_blobs(const std::vector<std::string>& names) {
  released_.insert(names.begin(), names.end());
  collect();
}

Status Jobs::remove_stray_blobs() {
  ASSIGN_OR_RETURN(const std::vector<BlobInfo> all, blobs_.list());
  std::vector<std::string> names;
  for (const BlobInfo& blob : all) names.push_back(blob.name);
  release_blobs(names);
  return Ok{};
}

void Jobs::collect() {
  if (imports_count_ > 0) return;
  for (const std::string& name : std::exchange(released_, {})) {
    const auto used = store_.blob_is_used(name);
    const Status removed = !used.ok() ? Status(used.error()) : *used ? Status(Ok{}) : blobs_.remove(name);
    // What could not be removed now is a stray blob at the next start.
    if (!removed.ok())
      log(LogLevel::kWarning, "blob.not_removed", {{"name", name}, {"error", describe(removed.error())}});
  }
}

}  // namespace noren::server
