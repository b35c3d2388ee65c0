// Imports: an upload that may hold several jobs. A worker takes it apart, then each model is inspected in a
// worker of its own, one after the other; the jobs appear together, in one transaction.
#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "base/limits.h"
#include "base/result_limits.h"
#include "domain/names.h"
#include "server/management/exchange.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr const char* kStandardProject = "default";

/// Everything an import carries from step to step. Touched by one thread at a time.
struct Import {
  ManagementParts parts;
  ExchangePointer exchange;
  std::string project, name, file_name;
  std::vector<std::string> input_rules;
  UniqueFd upload;
  UniqueFd unpacked;
  ImportPlan plan;
  std::size_t next = 0;
  std::vector<ImportedJob> done;
  std::size_t descriptions_bytes = 0;
  std::optional<Error> first_error;

  const PlannedJob& job() const { return plan.jobs[next]; }
};
using ImportPointer = std::shared_ptr<Import>;

void inspect_next(const ImportPointer& import);

/// Ends the import without a job.
void give_up(Import& import, const Error& error) {
  for (const ImportedJob& job : import.done) import.parts.jobs.release_blobs(job.files.blobs());
  import.parts.jobs.end_import();
  import.exchange->fail(error);
}

Result<UniqueFd> copy_of(const UniqueFd& file) {
  UniqueFd copy(::dup(file.get()));
  if (!copy.valid()) return system_error(Code::kUnavailable, "out of file descriptors", "dup");
  return copy;
}

/// The model's bytes, by themselves.
Result<UniqueFd> model_of(const Import& import) {
  const PlannedJob& job = import.job();
  if (job.model_is_upload) return copy_of(import.upload);
  ASSIGN_OR_RETURN(const Mapping mapping, Mapping::map(import.unpacked.get()));
  return sealed_memfd("noren-model", mapping.bytes().subspan(job.model_offset, job.model_size_bytes));
}

NewJob new_job_of(const Import& import) {
  const PlannedJob& planned = import.job();
  NewJob job;
  job.owner_id = import.exchange->principal.owner_id;
  job.project = !import.project.empty() ? import.project : planned.project;
  if (job.project.empty()) job.project = kStandardProject;
  job.name = import.name.empty() ? planned.name : import.name;
  job.file_name = planned.model_name;
  job.kept = true;
  job.results = planned.results;
  return job;
}

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

void finish(Import& import) {
  if (import.done.empty()) return give_up(import, *import.first_error);
  const auto added =
      import.parts.jobs.add_all(import.done, [&](const std::vector<JobRecord>& jobs) -> Status {
        for (const JobRecord& job : jobs)
          TRY(import.parts.store.add_audit(
              audit_of(*import.exchange, import.parts.clock.wall_us(), "job.import", job.id)));
        return Ok{};
      });
  if (!added.ok()) return give_up(import, added.error());
  import.parts.jobs.end_import();
  json::array jobs;
  for (const JobRecord& job : *added) {
    json::object row = job_json(job);
    json::error_code failure;
    row["description"] = json::parse(job.description, failure);
    jobs.push_back(std::move(row));
  }
  import.exchange->answer(201, {{"project", added->front().project},
                                {"jobs", std::move(jobs)},
                                { "warnings",
                                  texts(import.plan.warnings) }});
}

/// Of several jobs, one that fails is left out and said.
void leave_out(Import& import, const Error& error) {
  if (!import.first_error) import.first_error = error;
  import.plan.warnings.push_back(fmt::format("left out: '{}': {}", import.job().name, error.text));
}

/// Files thread.
Result<KeptFiles> keep(Import& import, const UniqueFd& model, const UniqueFd& package) {
  ASSIGN_OR_RETURN(KeptFiles files, import.parts.jobs.keep_files(model, package));
  auto kept = import.parts.jobs.keep_parts(import.unpacked, import.job().files);
  if (!kept.ok()) return kept.error();
  files.files = std::move(*kept);
  return files;
}

void on_inspected(const ImportPointer& import, std::shared_ptr<UniqueFd> model,
                  std::shared_ptr<Result<ImportedModel>> inspected) {
  // They stay in memory until all are there.
  if (inspected->ok() &&
      (*inspected)->description.size() > limits::kImportDescriptionsBytes - import->descriptions_bytes)
    *inspected = make_error(Code::kTooLarge,
                            "there is too much to say of the models of this import: "
                            "import this one by itself");
  if (!inspected->ok()) {
    leave_out(*import, inspected->error());
    ++import->next;
    return inspect_next(import);
  }
  import->descriptions_bytes += (*inspected)->description.size();
  import->parts.files.post([import, model = std::move(model), inspected = std::move(inspected)] {
    auto files = std::make_shared<Result<KeptFiles>>(keep(*import, *model, (*inspected)->package));
    import->parts.control.post([import, inspected, files] {
      // No room for files is no fault of this one job.
      if (!files->ok()) return give_up(*import, files->error());
    NewJob job = new_job_of(*import);
    job.description = std::move((*inspected)->description);
    import->done.push_back({std::move(job), std::move(**files)});
    ++import->next;
    inspect_next(import);
});
}  // namespace
);
}  // namespace noren::server

/// Control thread.
void inspect_next(const ImportPointer& import) {
  if (import->next == import->plan.jobs.size()) return finish(*import);
  import->parts.files.post([import] {
    auto model = std::make_shared<Result<UniqueFd>>(model_of(*import));
    import->parts.control.post([import, model] {
      auto copy = model->ok() ? copy_of(**model) : Result<UniqueFd>(model->error());
    if (!copy.ok()) return give_up(*import, copy.error());
    ImportRequest request{std::move(*copy), import->job().model_name, import->input_rules};
    auto kept = std::make_shared<UniqueFd>(std::move(**model));
      import->parts.serving.import(std::move(request), [import, kept](Result<ImportedModel> inspected) {
        auto shared = std::make_shared<Result<ImportedModel>>(std::move(inspected));
        import->parts.control.post([import, kept, shared] { on_inspected(import, kept, shared);
});
});
});
});
}

/// Control thread.
void on_unpacked(const ImportPointer& import, Result<UnpackedResults> unpacked) {
  if (!unpacked.ok()) return give_up(*import, unpacked.error());
  import->unpacked = std::move(unpacked->parts);
  const auto size = size_of(import->unpacked.get());
  auto plan = size.ok() ? read_import_index(unpacked->index, *size) : Result<ImportPlan>(size.error());
  if (!plan.ok()) return give_up(*import, plan.error());
  import->plan = std::move(*plan);
  if (!import->name.empty() && import->plan.jobs.size() > 1)
    return give_up(*import, invalid(fmt::format("a name is for one job, and this holds {}: name the project",
                                                import->plan.jobs.size())));
  inspect_next(import);
}

void unpack(const ImportPointer& import, ImportRequest request) {
  import->parts.serving.unpack(std::move(request), [import](Result<UnpackedResults> unpacked) {
    auto shared = std::make_shared<Result<UnpackedResults>>(std::move(unpacked));
    import->parts.control.post([import, shared] { on_unpacked(import, std::move(*shared));
});
});
}

Result<ImportPointer> begin(const ManagementParts& parts, const ExchangePointer& exchange) {
  ASSIGN_OR_RETURN(const Query query,
                   parse_query(exchange->request.query, {"project", "name", "file_name", "input"}));
  auto import = std::make_shared<Import>(Import{.parts = parts, .exchange = exchange});
  import->file_name = query_value(query, "file_name", "model.nnp").substr(0, limits::kNameBytes);
  import->project = query_value(query, "project", "");
  import->name = query_value(query, "name", "");
  if (!import->project.empty()) TRY(check_name("the project's name", import->project));
  if (!import->name.empty()) TRY(check_name("the name", import->name));
  ASSIGN_OR_RETURN(import->input_rules, input_rules_of(query));
  ASSIGN_OR_RETURN(import->upload, upload_of(exchange->request));
  return import;
}

}  // namespace

void create_import(const ManagementParts& parts, const ExchangePointer& exchange) {
  auto begun = begin(parts, exchange);
  if (!begun.ok()) return exchange->fail(begun.error());
  const ImportPointer import = *begun;
  auto file = copy_of(import->upload);
  if (!file.ok()) return exchange->fail(file.error());
  const auto request =
      std::make_shared<ImportRequest>(ImportRequest{std::move(*file), import->file_name, {}});
  const Status in_turn = parts.jobs.begin_import([import, request] { unpack(import, std::move(*request)); });
  if (!in_turn.ok()) exchange->fail(in_turn.error());
}

}  // namespace noren::server
