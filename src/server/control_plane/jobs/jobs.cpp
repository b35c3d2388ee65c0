#include "server/control_plane/jobs/jobs.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/secret.h"

namespace noren::server {

std::vector<std::string> KeptFiles::blobs() const {
  std::vector<std::string> names;
  for (const std::string& name : {upload_hash, package_hash})
    if (!name.empty()) names.push_back(name);
  for (const JobFileRecord& file : files) names.push_back(file.blob_hash);
  return names;
}

/// Blobs can go while no import is under way. Where one follows on the other without a gap, a gap is made
/// when they have waited long.
bool Jobs::may_begin_import() const {
  if (imports_count_ >= limits::kImportsCount) return false;
  return imports_count_ == 0 || released_.empty() ||
         clock_.monotonic_ns() - released_ns_ < limits::kReleasedBlobsWaitMs * 1'000'000;
}

Result<std::uint64_t> Jobs::begin_import(const std::string& owner_id, std::function<void()> begin) {
  const std::uint64_t turn = next_turn_++;
  if (waiting_imports_.empty() && may_begin_import()) {
    ++imports_count_;
    begin();
    return turn;
  }
  TRY(waiting_imports_.join(owner_id, turn, std::move(begin)));
  return turn;
}

Status Jobs::room_for_import(const std::string& owner_id) const {
  const bool waits = !waiting_imports_.empty() || !may_begin_import();
  return waits ? waiting_imports_.room(owner_id) : Status(Ok{});
}

bool Jobs::give_up_turn(std::uint64_t turn) { return waiting_imports_.leave(turn); }

void Jobs::end_import() {
  CHECK(imports_count_ > 0);
  --imports_count_;
  collect();
  while (!waiting_imports_.empty() && may_begin_import()) {
    ++imports_count_;
    waiting_imports_.take()();
  }
}

Status Jobs::keep_files(const UniqueFd& upload, const UniqueFd& package, KeptFiles& kept) {
  ASSIGN_OR_RETURN(const Mapping upload_bytes, Mapping::map(upload.get()));
  ASSIGN_OR_RETURN(const Mapping package_bytes, Mapping::map(package.get()));
  ASSIGN_OR_RETURN(kept.upload_hash, blobs_.put(upload_bytes.bytes()));
  ASSIGN_OR_RETURN(kept.package_hash, blobs_.put(package_bytes.bytes()));
  kept.upload_bytes = static_cast<std::int64_t>(upload_bytes.bytes().size());
  return Ok{};
}

Status Jobs::keep_parts(const UniqueFd& parts, const std::vector<PlannedFile>& files, KeptFiles& kept) {
  ASSIGN_OR_RETURN(const Mapping mapping, Mapping::map(parts.get()));
  const auto bytes_of_part = [&](const PlannedFile& file) {
    CHECK(file.offset <= mapping.bytes().size() && file.size_bytes <= mapping.bytes().size() - file.offset);
    return mapping.bytes().subspan(file.offset, file.size_bytes);
  };
  for (const PlannedFile& file : files) TRY(check_part(file, bytes_of_part(file)));
  for (const PlannedFile& file : files) {
    JobFileRecord record;
    record.number = static_cast<std::int64_t>(kept.files.size()) + 1;
    record.kind = file.kind;
    record.name = file.name;
    record.size_bytes = static_cast<std::int64_t>(file.size_bytes);
    record.first_row = file.first_row;
    record.rows_count = file.rows_count;
    ASSIGN_OR_RETURN(record.blob_hash, blobs_.put(bytes_of_part(file)));
    kept.files.push_back(std::move(record));
  }
  return Ok{};
}

Result<JobRecord> Jobs::record_of(const ImportedJob& imported) const {
  const NewJob& job = imported.job;
  ASSIGN_OR_RETURN(const DescriptionFacts facts, read_description(job.description));
  JobRecord record;
  record.id = random_id();
  record.owner_id = job.owner_id;
  record.project = job.project;
  record.name = job.name;
  record.file_name = job.file_name;
  record.upload_hash = imported.files.upload_hash;
  record.package_hash = imported.files.package_hash;
  record.upload_bytes = imported.files.upload_bytes;
  record.cost_parameter = facts.cost_parameter;
  record.memory_bytes = facts.memory_bytes;
  record.description = job.description;
  record.kept = job.kept;
  record.created_us = clock_.wall_us();
  record.results = job.results;
  return record;
}

Result<std::vector<JobRecord>> Jobs::add_all(
    const std::vector<ImportedJob>& jobs, const std::function<Status(const std::vector<JobRecord>&)>& also) {
  CHECK(imports_count_ > 0);
  std::vector<JobRecord> records;
  TRY(store_.transaction([&]() -> Status {
    for (const ImportedJob& imported : jobs) {
      ASSIGN_OR_RETURN(JobRecord record, record_of(imported));
      ASSIGN_OR_RETURN(record.number, store_.add_job(record));
      for (JobFileRecord file : imported.files.files) {
        file.job_id = record.id;
        TRY(store_.add_job_file(file));
      }
      records.push_back(std::move(record));
    }
    return also ? also(records) : Status(Ok{});
  }));
  return records;
}

Result<JobRecord> Jobs::add(const NewJob& job, const KeptFiles& files) {
  ASSIGN_OR_RETURN(std::vector<JobRecord> records, add_all({{job, files}}, nullptr));
  return std::move(records.front());
}

Result<JobRecord> Jobs::find(const std::string& id) {
  ASSIGN_OR_RETURN(auto job, store_.find_job(id));
  if (!job) return make_error(Code::kNotFound, "there is no job with this id");
  return std::move(*job);
}

Result<std::vector<JobRecord>> Jobs::list(const std::string& owner_id, const std::string& project,
                                          const Page& page) {
  return store_.list_jobs(owner_id, project, page);
}

Result<std::vector<JobFileRecord>> Jobs::files(const JobRecord& job) { return store_.list_job_files(job.id); }

Status Jobs::take_out(const JobRecord& job, std::vector<std::string>& blobs) {
  ASSIGN_OR_RETURN(const bool used, store_.job_is_used(job.id));
  if (used)
    return make_error(Code::kFailedPrecondition,
                      "an API still uses the job '" + job.name + "': delete the API first");
  ASSIGN_OR_RETURN(const std::vector<JobFileRecord> files, store_.list_job_files(job.id));
  TRY(store_.delete_job(job.id));
  blobs.insert(blobs.end(), {job.upload_hash, job.package_hash});
  for (const JobFileRecord& file : files) blobs.push_back(file.blob_hash);
  return Ok{};
}

Status Jobs::remove(const JobRecord& job, const std::function<Status()>& also) {
  std::vector<std::string> blobs;
  TRY(store_.transaction([&]() -> Status {
    TRY(take_out(job, blobs));
    return also ? also() : Status(Ok{});
  }));
  release_blobs(blobs);
  return Ok{};
}

Result<std::vector<ProjectRow>> Jobs::projects(const std::string& owner_id, const Page& page) {
  return store_.list_projects(owner_id, page);
}

Result<std::int64_t> Jobs::remove_project(const std::string& owner_id, const std::string& project,
                                          const std::function<Status()>& also) {
  CHECK(!owner_id.empty() && !project.empty());
  std::vector<std::string> blobs;
  std::int64_t removed_count = 0;
  TRY(store_.transaction([&]() -> Status {
    ASSIGN_OR_RETURN(const auto jobs, store_.list_jobs(owner_id, project, {0, INT64_MAX}));
    if (jobs.empty()) return make_error(Code::kNotFound, "there is no project with this name");
    for (const JobRecord& job : jobs) TRY(take_out(job, blobs));
    removed_count = static_cast<std::int64_t>(jobs.size());
    return also ? also() : Status(Ok{});
  }));
  release_blobs(blobs);
  return removed_count;
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
  if (released_.empty()) released_ns_ = clock_.monotonic_ns();
  released_.insert(names.begin(), names.end());
  collect();
}

Status Jobs::remove_stray_blobs() {
  ASSIGN_OR_RETURN(const std::vector<BlobInfo> all, blobs_.list());
  std::vector<std::string> names;
  names.reserve(all.size());
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
