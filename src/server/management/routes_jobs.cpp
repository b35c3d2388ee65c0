// Jobs: an upload becomes an imported model. The upload is the request's body, its name and place are in the
// query.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/limits.h"
#include "base/log.h"
#include "domain/names.h"
#include "server/management/exchange.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kInputRulesCount = 100;

/// Everything an import carries from step to step.
struct Import {
  ExchangePointer exchange;
  NewJob job;
  UniqueFd upload;
  UniqueFd package;
  KeptFiles files;
};
using ImportPointer = std::shared_ptr<Import>;

Result<ImportPointer> begin(const ExchangePointer& exchange, ImportRequest& request) {
  ASSIGN_OR_RETURN(const Query query,
                   parse_query(exchange->request.query, {"project", "name", "file_name", "input", "kept"}));
  auto import = std::make_shared<Import>();
  import->exchange = exchange;
  NewJob& job = import->job;
  job.owner_id = exchange->principal.owner_id;
  job.file_name = query_value(query, "file_name", "model.nnp").substr(0, limits::kNameBytes);
  job.project = query_value(query, "project", "default");
  job.name = query_value(query, "name", name_of_file(job.file_name));
  job.kept = query_value(query, "kept", "true") != "false";
  TRY(check_name("the project's name", job.project));
  TRY(check_name("the name", job.name));
  ASSIGN_OR_RETURN(request.input_rules, input_rules_of(query));
  ASSIGN_OR_RETURN(import->upload, upload_of(exchange->request));
  request.file_name = job.file_name;
  request.hang_up = exchange->request.hang_up;
  request.file = UniqueFd(::dup(import->upload.get()));
  if (!request.file.valid()) return system_error(Code::kUnavailable, "out of file descriptors", "dup");
  return import;
}

void finish(const ManagementParts& parts, const Import& import, const Status& kept) {
  Result<JobRecord> job = !kept.ok()                       ? Result<JobRecord>(kept.error())
                          : import.exchange->is_given_up() ? Result<JobRecord>(hung_up())
                                                           : parts.jobs.add(import.job, import.files);
  if (!job.ok()) parts.jobs.release_blobs(import.files.blobs());
  parts.jobs.end_import();
  if (!job.ok()) return import.exchange->fail(job.error());
  json::object answer = job_json(*job);
  answer["description"] = json::parse(job->description);  // read_description accepted it
  import.exchange->answer(201, answer);
}

void on_inspected(const ManagementParts& parts, const ImportPointer& import, Result<ImportedModel>& model) {
  if (!model.ok()) {
    parts.jobs.end_import();
    return import->exchange->fail(model.error());
  }
  import->job.description = std::move(model->description);
  import->package = std::move(model->package);
  parts.files.post([parts, import] {
    const Status kept = parts.jobs.keep_files(import->upload, import->package, import->files);
    parts.control.post([parts, import, kept] { finish(parts, *import, kept); });
  });
}

}  // namespace

json::object job_json(const JobRecord& job) {
  json::object row = {{"id", job.id},
                      {"project", job.project},
                      {"name", job.name},
                      {"file_name", job.file_name},
                      {"size_bytes", job.upload_bytes},
                      {"cost_parameter", job.cost_parameter},
                      {"kept", job.kept},
                      {"created", format_utc(job.created_us)}};
  json::error_code failure;
  if (!job.results.empty()) row["results"] = json::parse(job.results, failure);
  return row;
}

Result<UniqueFd> upload_of(ManagementRequest& request) {
  if (request.body_memfd.valid()) return std::move(request.body_memfd);
  if (request.body.empty()) return invalid("the body must be the model file, and it is empty");
  return sealed_memfd("noren-upload", bytes_of(request.body));
}

void import_in_turn(const ManagementParts& parts, const ExchangePointer& exchange,
                    std::function<void()> begin) {
  const auto turn = std::make_shared<std::uint64_t>(0);
  // It waits as long as its turn is held, and no longer. Once that has come, its worker listens in this
  // place.
  if (exchange->request.hang_up != nullptr)
    exchange->request.hang_up->listen(
        [&control = parts.control, &jobs = parts.jobs, turn, waiting = std::weak_ptr<Exchange>(exchange)] {
          control.post([&jobs, turn, waiting] {
            const ExchangePointer left = waiting.lock();
            if (left != nullptr && jobs.give_up_turn(*turn)) left->fail(hung_up());
          });
        });
  const auto begun = parts.jobs.begin_import(exchange->principal.owner_id, std::move(begin));
  if (!begun.ok()) return exchange->fail(begun.error());
  *turn = *begun;
}

std::string name_of_file(const std::string& file_name) {
  const std::size_t dot = file_name.rfind('.');
  return name_from(file_name.substr(0, dot == 0 ? std::string::npos : dot));
}

Result<std::vector<std::string>> input_rules_of(const Query& query) {
  std::vector<std::string> rules;
  const auto [first, last] = query.equal_range("input");
  for (auto it = first; it != last; ++it) rules.push_back(it->second);
  if (rules.size() > kInputRulesCount) return invalid("too many input rules");
  return rules;
}

Result<JobRecord> job_for(const ManagementParts& parts, const Exchange& exchange) {
  ASSIGN_OR_RETURN(JobRecord job, parts.jobs.find(exchange.path.at("id")));
  // Somebody else's job is, for those who may not see it, no job.
  if (!may(exchange.principal, exchange.permission, job.owner_id))
    return make_error(Code::kNotFound, "there is no job with this id");
  return job;
}

void create_job(const ManagementParts& parts, const ExchangePointer& exchange) {
  ImportRequest request;
  auto begun = begin(exchange, request);
  if (!begun.ok()) return exchange->fail(begun.error());
  const ImportPointer import = *begun;
  const auto file = std::make_shared<ImportRequest>(std::move(request));
  import_in_turn(parts, exchange, [parts, import, file] {
    parts.serving.import(std::move(*file), [parts, import](Result<ImportedModel> model) {
      auto shared = std::make_shared<Result<ImportedModel>>(std::move(model));
      parts.control.post([parts, import, shared] { on_inspected(parts, import, *shared); });
    });
  });
}

void list_jobs(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto query = parse_query(exchange->request.query, {"limit", "before", "project"});
  if (!query.ok()) return exchange->fail(query.error());
  const auto page = page_of(*query);
  if (!page.ok()) return exchange->fail(page.error());
  const auto jobs = parts.jobs.list(exchange->principal.owner_id, query_value(*query, "project", ""), *page);
  if (!jobs.ok()) return exchange->fail(jobs.error());
  json::array rows;
  for (const JobRecord& job : *jobs) rows.push_back(job_json(job));
  json::object answer{{"jobs", std::move(rows)}};
  if (static_cast<std::int64_t>(jobs->size()) == page->limit_count)
    answer["next_before"] = jobs->back().number;
  exchange->answer(200, answer);
}

void show_job(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto job = job_for(parts, *exchange);
  if (!job.ok()) return exchange->fail(job.error());
  json::object answer = job_json(*job);
  json::error_code failure;
  answer["description"] = json::parse(job->description, failure);
  exchange->answer(200, answer);
}

void delete_job(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto job = job_for(parts, *exchange);
  if (!job.ok()) return exchange->fail(job.error());
  const Status removed = parts.jobs.remove(*job, [&] {
    return parts.store.add_audit(audit_of(*exchange, parts.clock.wall_us(), "job.delete", job->id));
  });
  if (!removed.ok()) return exchange->fail(removed.error());
  exchange->answer(200, {{"id", job->id}, {"deleted", true}});
}

}  // namespace noren::server
