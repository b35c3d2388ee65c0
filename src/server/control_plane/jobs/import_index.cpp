// Reads the index that a worker made of an uploaded archive: what it names must lie inside the parts.
#include <algorithm>

#include <boost/json.hpp>

#include "base/check.h"
#include "base/limits.h"
#include "base/result_limits.h"
#include "domain/names.h"
#include "server/control_plane/jobs/jobs.h"
#include "server/control_plane/jobs/json_text.h"

namespace noren::server {
namespace {

namespace json = boost::json;

/// All are handed out as they are, but rows: a page of these is parsed, row by row.
struct PartKind {
  std::string_view name;
  std::uint64_t most_bytes;
  enum class Form : std::uint8_t { kBytes, kJsonObject } form = Form::kBytes;
};
constexpr PartKind kKinds[] = {{"file", limits::kEvaluationFileBytes},
                               {"curves", limits::kResultJsonBytes, PartKind::Form::kJsonObject},
                               {"confusion", limits::kResultJsonBytes, PartKind::Form::kJsonObject},
                               {"columns", limits::kResultJsonBytes, PartKind::Form::kJsonObject},
                               {"rows", 2 * limits::kResultJsonBytes}};
/// A folder's files, and the chunks of its evaluation.
constexpr std::size_t kPartsCount =
    limits::kResultFilesCount + 8 + limits::kEvaluationBytes * 2 / limits::kEvaluationChunkBytes;

Error bad_index(std::string_view what) { return internal("import index: " + std::string(what)); }

const json::value* member(const json::object& object, std::string_view name) {
  return object.if_contains(name);
}

Result<std::string> text_in(const json::object& object, std::string_view name) {
  const json::value* value = member(object, name);
  if (value == nullptr || !value->is_string()) return bad_index(name);
  const std::string text(value->get_string());
  if (text.size() > limits::kNameBytes) return bad_index(name);
  return text;
}

Result<std::uint64_t> count_in(const json::object& object, std::string_view name) {
  const json::value* value = member(object, name);
  if (value == nullptr || !value->is_number()) return bad_index(name);
  json::error_code failure;
  const auto count = value->to_number<std::uint64_t>(failure);
  if (failure) return bad_index(name);
  return count;
}

Result<const json::array*> list_in(const json::object& object, std::string_view name) {
  const json::value* value = member(object, name);
  if (value == nullptr || !value->is_array()) return bad_index(name);
  return &value->get_array();
}

class IndexReader {
 public:
  explicit IndexReader(std::uint64_t parts_bytes) : parts_bytes_(parts_bytes) {}

  Result<ImportPlan> read(const json::object& root) {
    ImportPlan plan;
    ASSIGN_OR_RETURN(const json::array* jobs, list_in(root, "jobs"));
    if (jobs->empty() || jobs->size() > limits::kImportJobsCount) return bad_index("jobs");
    for (const json::value& value : *jobs) {
      if (!value.is_object()) return bad_index("job");
      ASSIGN_OR_RETURN(PlannedJob job, read_job(value.get_object()));
      plan.jobs.push_back(std::move(job));
    }
    ASSIGN_OR_RETURN(const json::array* warnings, list_in(root, "warnings"));
    for (const json::value& warning : *warnings) {
      if (!warning.is_string() || plan.warnings.size() == limits::kImportJobsCount)
        return bad_index("warnings");
      plan.warnings.push_back(std::string(warning.get_string()).substr(0, limits::kDetailBytes));
    }
    return plan;
  }

 private:
  /// No byte is a part twice: what is kept is no more than what was sent.
  Status check_place(std::uint64_t offset, std::uint64_t size_bytes) {
    if (offset > parts_bytes_ || size_bytes > parts_bytes_ - offset) return bad_index("place");
    if (size_bytes > parts_bytes_ - named_bytes_) return bad_index("parts overlap");
    named_bytes_ += size_bytes;
    return Ok{};
  }

  /// `rows_count`: of the job's evaluation so far.
  Result<PlannedFile> read_file(const json::object& row, std::int64_t& rows_count) {
    PlannedFile file;
    ASSIGN_OR_RETURN(file.kind, text_in(row, "kind"));
    const auto kind = std::ranges::find(kKinds, file.kind, &PartKind::name);
    if (kind == std::end(kKinds)) return bad_index("kind");
    ASSIGN_OR_RETURN(file.name, text_in(row, "name"));
    ASSIGN_OR_RETURN(file.offset, count_in(row, "offset"));
    ASSIGN_OR_RETURN(file.size_bytes, count_in(row, "size"));
    if (file.size_bytes > kind->most_bytes) return bad_index("size");
    TRY(check_place(file.offset, file.size_bytes));
    if (file.kind != "rows") return file;
    ASSIGN_OR_RETURN(const std::uint64_t first_row, count_in(row, "first_row"));
    ASSIGN_OR_RETURN(const std::uint64_t rows, count_in(row, "rows"));
    if (first_row != static_cast<std::uint64_t>(rows_count) ||
        rows > limits::kEvaluationRowsCount - first_row)
      return bad_index("rows");
    file.first_row = rows_count;
    file.rows_count = static_cast<std::int64_t>(rows);
    rows_count += file.rows_count;
    return file;
  }

  Status read_model(const json::object& row, PlannedJob& job) {
    ASSIGN_OR_RETURN(job.model_name, text_in(row, "name"));
    if (member(row, "upload") != nullptr) {
      job.model_is_upload = true;
      return Ok{};
    }
    ASSIGN_OR_RETURN(job.model_offset, count_in(row, "offset"));
    ASSIGN_OR_RETURN(job.model_size_bytes, count_in(row, "size"));
    return check_place(job.model_offset, job.model_size_bytes);
  }

  Result<PlannedJob> read_job(const json::object& row) {
    PlannedJob job;
    ASSIGN_OR_RETURN(const std::string name, text_in(row, "name"));
    ASSIGN_OR_RETURN(const std::string project, text_in(row, "project"));
    job.name = name_from(name);
    if (!project.empty()) job.project = name_from(project);
    const json::value* model = member(row, "model");
    if (model == nullptr || !model->is_object()) return bad_index("model");
    TRY(read_model(model->get_object(), job));
    ASSIGN_OR_RETURN(const json::array* parts, list_in(row, "parts"));
    if (parts->size() > kPartsCount) return bad_index("parts");
    std::int64_t rows_count = 0;
    for (const json::value& part : *parts) {
      if (!part.is_object()) return bad_index("part");
      ASSIGN_OR_RETURN(PlannedFile file, read_file(part.get_object(), rows_count));
      job.files.push_back(std::move(file));
    }
    const json::value* results = member(row, "results");
    if (results == nullptr || !results->is_object()) return bad_index("results");
    if (!results->get_object().empty()) job.results = json::serialize(*results);
    if (job.results.size() > 2 * limits::kResultSummaryBytes) return bad_index("results");
    return job;
  }

  const std::uint64_t parts_bytes_;
  std::uint64_t named_bytes_ = 0;
};

}  // namespace

Status check_part(const PlannedFile& part, ByteView bytes) {
  const auto known = std::ranges::find(kKinds, part.kind, &PartKind::name);
  CHECK(known != std::end(kKinds));  // read_import_index took it
  if (known->form != PartKind::Form::kJsonObject) return Ok{};
  return is_json_object(text_of(bytes)) ? Status(Ok{}) : bad_index(known->name);
}

Result<ImportPlan> read_import_index(const std::string& index, std::uint64_t parts_bytes) {
  if (index.size() > limits::kImportIndexBytes) return bad_index("too large");
  json::error_code failure;
  const json::value root = json::parse(index, failure);
  if (failure || !root.is_object()) return bad_index("no JSON object");
  return IndexReader(parts_bytes).read(root.get_object());
}

}  // namespace noren::server
