// server/control_plane/jobs/jobs.h - Jobs: imported models, and the blobs that belong to them.
// Called on the control thread, except keep_files, which belongs on the thread for large files. A blob is
// written before the job that names it, and removed after the last one has gone and no import is under way,
// so that a name in the store always has its bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "domain/model_interface.h"
#include "server/blob/blob_store.h"
#include "server/control_plane/jobs/import_line.h"
#include "server/store/store.h"

namespace noren::server {

/// What the server itself reads out of an import's description.
struct DescriptionFacts {
  std::int64_t cost_parameter = 0;
  std::int64_t memory_bytes = 0;
  /// Why it does not qualify for per request; its CostParameter is judged by this server's setting.
  std::vector<std::string> reasons;
};
/// kInternal where it is not what an import writes: it comes from a worker and is not trusted.
Result<DescriptionFacts> read_description(const std::string& description);
/// What callers of the model write and read. Errors as above.
Result<ModelInterface> read_interface(const std::string& description);

/// A part of an unpacked archive that is kept beside its job.
struct PlannedFile {
  std::string kind;
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t first_row = 0;
  std::int64_t rows_count = 0;
};

/// A job that an uploaded file holds, before its model was looked at.
struct PlannedJob {
  std::string name;     ///< one that check_name takes
  std::string project;  ///< likewise, or empty
  std::string model_name;
  bool model_is_upload = false;  ///< else it is a part
  std::uint64_t model_offset = 0;
  std::uint64_t model_size_bytes = 0;
  std::vector<PlannedFile> files;
  std::string results;  ///< JSON
};

struct ImportPlan {
  std::vector<PlannedJob> jobs;
  std::vector<std::string> warnings;
};
/// Of a worker's index of an upload, with `parts_bytes` of parts. kInternal where it is none: not trusted.
Result<ImportPlan> read_import_index(const std::string& index, std::uint64_t parts_bytes);
/// Whether a part's text is what its kind says, so that answers may hand it out unread. Errors as above.
Status check_part(const PlannedFile& part, ByteView bytes);

struct NewJob {
  std::string owner_id;
  std::string project;
  std::string name;
  std::string file_name;
  bool kept = false;
  std::string description;
  std::string results;
};

struct KeptFiles {
  std::string upload_hash, package_hash;
  std::int64_t upload_bytes = 0;
  std::vector<JobFileRecord> files;

  std::vector<std::string> blobs() const;  ///< those that are there by now
};

struct ImportedJob {
  NewJob job;
  KeptFiles files;
};

class Jobs {
 public:
  Jobs(Store& store, BlobStore& blobs, const Clock& clock) : store_(store), blobs_(blobs), clock_(clock) {}

  /// Around each import: nothing is removed between begin and end. `begin` is called now, or from an
  /// end_import(), in fair turns. Returns its turn; kExhausted where there is no room for it.
  Result<std::uint64_t> begin_import(const std::string& owner_id, std::function<void()> begin);
  Status room_for_import(const std::string& owner_id) const;
  /// Whether the import still waited, and won't begin any more. What its `begin` holds is given back.
  bool give_up_turn(std::uint64_t turn);
  void end_import();

  /// Writes both files into the blob store. Takes long; on any thread, between begin_import and end_import.
  /// Where it fails, `kept` says what is to be released.
  Status keep_files(const UniqueFd& upload, const UniqueFd& package, KeptFiles& kept);
  /// The parts of one job, with blobs of their own. As keep_files.
  Status keep_parts(const UniqueFd& parts, const std::vector<PlannedFile>& files, KeptFiles& kept);
  /// Between begin_import and end_import.
  Result<JobRecord> add(const NewJob& job, const KeptFiles& files);
  /// All or none. `also` runs in the same transaction.
  Result<std::vector<JobRecord>> add_all(const std::vector<ImportedJob>& jobs,
                                         const std::function<Status(const std::vector<JobRecord>&)>& also);

  Result<JobRecord> find(const std::string& id);
  Result<std::vector<JobRecord>> list(const std::string& owner_id, const std::string& project,
                                      const Page& page);
  Result<std::vector<JobFileRecord>> files(const JobRecord& job);
  /// A blob's bytes. On any thread; belongs on the one for large files.
  Result<UniqueFd> load(const std::string& blob_hash) const { return blobs_.load(blob_hash); }
  /// kFailedPrecondition where an API uses it. `also` runs in the same transaction.
  Status remove(const JobRecord& job, const std::function<Status()>& also = nullptr);

  Result<std::vector<ProjectRow>> projects(const std::string& owner_id, const Page& page);
  /// All jobs of one project or none: kNotFound, or kFailedPrecondition where an API uses one. Their number.
  Result<std::int64_t> remove_project(const std::string& owner_id, const std::string& project,
                                      const std::function<Status()>& also = nullptr);

  /// Forgets jobs that a publish left behind before `before_us`.
  Status remove_abandoned(WallUs before_us);
  /// Blobs that may be nobody's any more; they are removed when they are, and when no import is under way.
  void release_blobs(const std::vector<std::string>& names);
  /// At start: blobs that no job names, left by a crash.
  Status remove_stray_blobs();

 private:
  Result<JobRecord> record_of(const ImportedJob& imported) const;
  /// In a transaction: the job's row goes, its blobs' names are added to `blobs`.
  Status take_out(const JobRecord& job, std::vector<std::string>& blobs);
  void collect();
  bool may_begin_import() const;

  Store& store_;
  BlobStore& blobs_;
  const Clock& clock_;
  std::size_t imports_count_ = 0;
  std::uint64_t next_turn_ = 1;
  ImportLine waiting_imports_;
  std::set<std::string> released_;
  MonotonicNs released_ns_ = 0;  ///< when the first of them was
};

}  // namespace noren::server
