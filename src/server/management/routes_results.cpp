// What a job's result folder recorded: learning curves, evaluation, confusion matrices, its files; and the
// projects that jobs belong to. Blobs are read on the files thread.
#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/limits.h"
#include "base/result_limits.h"
#include "server/management/exchange.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr std::int64_t kRowsOfPageCount = 1'000;

Result<json::value> parsed(std::string_view text) {
  json::error_code failure;
  json::value value = json::parse(text, failure);
  // A worker wrote it, and nobody has looked at it since.
  if (failure)
    return make_error(Code::kCorrupt, "what was recorded of this job is damaged", failure.message());
  return value;
}

Result<json::object> json_of_blob(const Jobs& jobs, const std::string& blob_hash) {
  ASSIGN_OR_RETURN(const UniqueFd file, jobs.load(blob_hash));
  ASSIGN_OR_RETURN(const Mapping mapping, Mapping::map(file.get()));
  ASSIGN_OR_RETURN(json::value value, parsed(text_of(mapping.bytes())));
  if (!value.is_object()) return make_error(Code::kCorrupt, "what was recorded of this job is damaged");
  return std::move(value.get_object());
}

Result<std::vector<JobFileRecord>> files_for(const ManagementParts& parts, const Exchange& exchange) {
  ASSIGN_OR_RETURN(const JobRecord job, job_for(parts, exchange));
  return parts.jobs.files(job);
}

const JobFileRecord* first_of(const std::vector<JobFileRecord>& files, std::string_view kind) {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const JobFileRecord& file) { return file.kind == kind; });
  return found == files.end() ? nullptr : &*found;
}

Error not_recorded(std::string_view what) {
  return make_error(Code::kNotFound, fmt::format("this job has no {}: none was imported with it", what));
}

/// `response` with a blob for its body.
void answer_with_bytes(const Exchange& exchange, const Jobs& jobs, const std::string& blob_hash,
                       ManagementResponse response) {
  const auto file = jobs.load(blob_hash);
  if (!file.ok()) return exchange.fail(file.error());
  const auto mapping = Mapping::map(file->get());
  if (!mapping.ok()) return exchange.fail(mapping.error());
  response.body = text_of(mapping->bytes());
  exchange.reply(std::move(response));
}

/// Answers with a part that is a JSON object: its import has looked at it.
void answer_with_part(const ManagementParts& parts, const ExchangePointer& exchange, std::string_view kind,
                      std::string_view what) {
  const auto files = files_for(parts, *exchange);
  if (!files.ok()) return exchange->fail(files.error());
  const JobFileRecord* file = first_of(*files, kind);
  if (file == nullptr) return exchange->fail(not_recorded(what));
  parts.files.post(
      [parts, exchange, blob = file->blob_hash] { answer_with_bytes(*exchange, parts.jobs, blob, {}); });
}

struct RowRange {
  std::int64_t offset = 0;
  std::int64_t limit_count = 0;
};

/// Adds the rows of one chunk, a line each, that lie in the range.
Status add_rows(const Jobs& jobs, const JobFileRecord& chunk, const RowRange& range, json::array& rows) {
  ASSIGN_OR_RETURN(const UniqueFd file, jobs.load(chunk.blob_hash));
  ASSIGN_OR_RETURN(const Mapping mapping, Mapping::map(file.get()));
  std::string_view text = text_of(mapping.bytes());
  for (std::int64_t row = chunk.first_row; row < range.offset + range.limit_count && !text.empty(); ++row) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (row < range.offset) continue;
    ASSIGN_OR_RETURN(json::value cells, parsed(line));
    rows.push_back(std::move(cells));
  }
  return Ok{};
}

Result<json::object> evaluation_json(const Jobs& jobs, const std::vector<JobFileRecord>& files,
                                     const RowRange& range) {
  ASSIGN_OR_RETURN(json::object answer, json_of_blob(jobs, first_of(files, "columns")->blob_hash));
  json::array rows;
  std::int64_t total_count = 0;
  for (const JobFileRecord& file : files) {
    if (file.kind != "rows") continue;
    const std::int64_t end = file.first_row + file.rows_count;
    total_count = std::max(total_count, end);
    if (end > range.offset && file.first_row < range.offset + range.limit_count)
      TRY(add_rows(jobs, file, range, rows));
  }
  answer["total"] = total_count;
  answer["offset"] = range.offset;
  answer["rows"] = std::move(rows);
  return answer;
}

json::object file_json(const std::string& name, std::int64_t size_bytes, std::string_view kind) {
  return {{"name", name}, {"size_bytes", size_bytes}, {"kind", kind}};
}

}  // namespace

void show_curves(const ManagementParts& parts, const ExchangePointer& exchange) {
  answer_with_part(parts, exchange, "curves", "learning curve");
}

void show_confusion(const ManagementParts& parts, const ExchangePointer& exchange) {
  answer_with_part(parts, exchange, "confusion", "confusion matrix");
}

void show_evaluation(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto query = parse_query(exchange->request.query, {"offset", "limit"});
  if (!query.ok()) return exchange->fail(query.error());
  const auto offset = query_number(*query, "offset", 0, 0, limits::kEvaluationRowsCount);
  const auto limit = query_number(*query, "limit", 100, 1, kRowsOfPageCount);
  if (!offset.ok() || !limit.ok()) return exchange->fail(offset.ok() ? limit.error() : offset.error());
  auto files = files_for(parts, *exchange);
  if (!files.ok()) return exchange->fail(files.error());
  if (first_of(*files, "columns") == nullptr) return exchange->fail(not_recorded("evaluation"));
  const RowRange range{*offset, *limit};
  parts.files.post([parts, exchange, range, files = std::move(*files)] {
    const auto answer = evaluation_json(parts.jobs, files, range);
    if (!answer.ok()) return exchange->fail(answer.error());
    exchange->answer(200, *answer);
  });
}

void list_job_files(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto job = job_for(parts, *exchange);
  if (!job.ok()) return exchange->fail(job.error());
  const auto files = parts.jobs.files(*job);
  if (!files.ok()) return exchange->fail(files.error());
  json::array list{file_json(job->file_name, job->upload_bytes, "model")};
  for (const JobFileRecord& file : *files)
    if (file.kind == "file") list.push_back(file_json(file.name, file.size_bytes, "result"));
  exchange->answer(200, {{"files", std::move(list)}});
}

void load_job_file(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto job = job_for(parts, *exchange);
  if (!job.ok()) return exchange->fail(job.error());
  const auto files = parts.jobs.files(*job);
  if (!files.ok()) return exchange->fail(files.error());
  const std::string& name = exchange->path.at("name");
  std::string blob = name == job->file_name ? job->upload_hash : "";
  std::int64_t size_bytes = job->upload_bytes;
  for (const JobFileRecord& file : *files) {
    if (!blob.empty() || file.kind != "file" || file.name != name) continue;
    blob = file.blob_hash;
    size_bytes = file.size_bytes;
  }
  if (blob.empty()) return exchange->fail(make_error(Code::kNotFound, "this job has no file of this name"));
  if (size_bytes > static_cast<std::int64_t>(limits::kAnswerBytes))
    return exchange->fail(make_error(Code::kTooLarge, "the file is too large to be sent in one answer"));
  parts.files.post([parts, exchange, blob] {
    ManagementResponse response;
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("x-content-type-options", "nosniff");
    answer_with_bytes(*exchange, parts.jobs, blob, std::move(response));
  });
}

void list_projects(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto query = parse_query(exchange->request.query, {"limit", "before"});
  if (!query.ok()) return exchange->fail(query.error());
  const auto page = page_of(*query);
  if (!page.ok()) return exchange->fail(page.error());
  const auto projects = parts.jobs.projects(exchange->principal.owner_id, *page);
  if (!projects.ok()) return exchange->fail(projects.error());
  json::array rows;
  for (const ProjectRow& project : *projects)
    rows.push_back(
        {{"name", project.name}, {"jobs", project.jobs_count}, {"newest", format_utc(project.newest_us)}});
  json::object answer{{"projects", std::move(rows)}};
  if (static_cast<std::int64_t>(projects->size()) == page->limit_count)
    answer["next_before"] = projects->back().newest_number;
  exchange->answer(200, answer);
}

/// One's own: a project of somebody else has the same name and is another one.
void delete_project(const ManagementParts& parts, const ExchangePointer& exchange) {
  const std::string& name = exchange->path.at("name");
  const auto removed = parts.jobs.remove_project(exchange->principal.owner_id, name, [&] {
    return parts.store.add_audit(audit_of(*exchange, parts.clock.wall_us(), "project.delete", name));
  });
  if (!removed.ok()) return exchange->fail(removed.error());
  exchange->answer(200, {{"name", name}, {"jobs", *removed}, {"deleted", true}});
}

}  // namespace noren::server
