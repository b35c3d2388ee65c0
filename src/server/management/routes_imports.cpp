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

/// Everything an import carries from step to step. Touched by one thread at a time. Never called `import`: at
/// the beginning of a line that word is the language's, and the formatter stumbles over it.
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

void inspect_next(const ImportPointer& intake);

/// Ends the import without a job.
void give_up(Import& intake, const Error& error) {
  for (const ImportedJob& job : intake.done) intake.parts.jobs.release_blobs(job.files.blobs());
  intake.parts.jobs.end_import();
  intake.exchange->fail(error);
}

Result<UniqueFd> copy_of(const UniqueFd& file) {
  UniqueFd copy(::dup(file.get()));
  if (!copy.valid()) return system_error(Code::kUnavailable, "out of file descriptors", "dup");
  return copy;
}

/// The model's bytes, by themselves.
Result<UniqueFd> model_of(const Import& intake) {
  const PlannedJob& job = intake.job();
  if (job.model_is_upload) return copy_of(intake.upload);
  ASSIGN_OR_RETURN(const Mapping mapping, Mapping::map(intake.unpacked.get()));
  return sealed_memfd("noren-model", mapping.bytes().subspan(job.model_offset, job.model_size_bytes));
}

NewJob new_job_of(const Import& intake) {
  const PlannedJob& planned = intake.job();
  NewJob job;
  job.owner_id = intake.exchange->principal.owner_id;
  job.project = !intake.project.empty() ? intake.project : planned.project;
  if (job.project.empty()) job.project = kStandardProject;
  job.name = intake.name.empty() ? planned.name : intake.name;
  job.file_name = planned.model_name;
  job.kept = true;
  job.results = planned.results;
  return job;
}

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

void finish(Import& intake) {
  if (intake.done.empty()) return give_up(intake, *intake.first_error);
  const auto added =
      intake.parts.jobs.add_all(intake.done, [&](const std::vector<JobRecord>& jobs) -> Status {
        for (const JobRecord& job : jobs)
          TRY(intake.parts.store.add_audit(
              audit_of(*intake.exchange, intake.parts.clock.wall_us(), "job.import", job.id)));
        return Ok{};
      });
  if (!added.ok()) return give_up(intake, added.error());
  intake.parts.jobs.end_import();
  json::array jobs;
  for (const JobRecord& job : *added) {
    json::object row = job_json(job);
    json::error_code failure;
    row["description"] = json::parse(job.description, failure);
    jobs.push_back(std::move(row));
  }
  intake.exchange->answer(201, {{"project", added->front().project},
                                {"jobs", std::move(jobs)},
                                {"warnings", texts(intake.plan.warnings)}});
}

/// Of several jobs, one that fails is left out and said.
void leave_out(Import& intake, const Error& error) {
  if (!intake.first_error) intake.first_error = error;
  intake.plan.warnings.push_back(fmt::format("left out: '{}': {}", intake.job().name, error.text));
}

/// What one model brings along from step to step. Tasks can only hold what may be copied.
struct Inspected {
  UniqueFd model;
  Result<ImportedModel> imported;
  KeptFiles files;
};

/// Files thread.
Status keep(Import& intake, Inspected& inspected) {
  TRY(intake.parts.jobs.keep_parts(intake.unpacked, intake.job().files, inspected.files));
  return intake.parts.jobs.keep_files(inspected.model, inspected.imported->package, inspected.files);
}

/// Control thread.
void on_kept(const ImportPointer& intake, Inspected& inspected, const Status& kept) {
  NewJob job = new_job_of(*intake);
  job.description = std::move(inspected.imported->description);
  intake->done.push_back({std::move(job), std::move(inspected.files)});
  // No room for files is no fault of this one job.
  if (!kept.ok()) return give_up(*intake, kept.error());
  ++intake->next;
  inspect_next(intake);
}

/// Control thread.
void on_inspected(const ImportPointer& intake, const std::shared_ptr<Inspected>& inspected) {
  Result<ImportedModel>& imported = inspected->imported;
  // They stay in memory until all are there.
  if (imported.ok() &&
      imported->description.size() > limits::kImportDescriptionsBytes - intake->descriptions_bytes)
    imported = make_error(Code::kTooLarge,
                          "there is too much to say of the models of this import: "
                          "import this one by itself");
  if (!imported.ok()) {
    leave_out(*intake, imported.error());
    ++intake->next;
    return inspect_next(intake);
  }
  intake->descriptions_bytes += imported->description.size();
  intake->parts.files.post([intake, inspected] {
    const Status kept = keep(*intake, *inspected);
    intake->parts.control.post([intake, inspected, kept] { on_kept(intake, *inspected, kept); });
  });
}

/// Control thread.
void inspect(const ImportPointer& intake, Result<UniqueFd> model) {
  auto copy = model.ok() ? copy_of(*model) : Result<UniqueFd>(model.error());
  if (!copy.ok()) return give_up(*intake, copy.error());
  ImportRequest request{std::move(*copy), intake->job().model_name, intake->input_rules,
                        intake->exchange->request.hang_up};
  const auto kept = std::make_shared<UniqueFd>(std::move(*model));
  intake->parts.serving.import(std::move(request), [intake, kept](Result<ImportedModel> imported) {
    const auto inspected = std::make_shared<Inspected>(Inspected{std::move(*kept), std::move(imported), {}});
    intake->parts.control.post([intake, inspected] { on_inspected(intake, inspected); });
  });
}

/// Control thread.
void inspect_next(const ImportPointer& intake) {
  if (intake->exchange->is_given_up()) return give_up(*intake, hung_up());
  if (intake->next == intake->plan.jobs.size()) return finish(*intake);
  intake->parts.files.post([intake] {
    const auto model = std::make_shared<Result<UniqueFd>>(model_of(*intake));
    intake->parts.control.post([intake, model] { inspect(intake, std::move(*model)); });
  });
}

/// Control thread.
void on_unpacked(const ImportPointer& intake, Result<UnpackedResults> unpacked) {
  if (!unpacked.ok()) return give_up(*intake, unpacked.error());
  intake->unpacked = std::move(unpacked->parts);
  const auto size = size_of(intake->unpacked.get());
  auto plan = size.ok() ? read_import_index(unpacked->index, *size) : Result<ImportPlan>(size.error());
  if (!plan.ok()) return give_up(*intake, plan.error());
  intake->plan = std::move(*plan);
  if (!intake->name.empty() && intake->plan.jobs.size() > 1)
    return give_up(*intake, invalid(fmt::format("a name is for one job, and this holds {}: name the project",
                                                intake->plan.jobs.size())));
  inspect_next(intake);
}

void unpack(const ImportPointer& intake, ImportRequest request) {
  intake->parts.serving.unpack(std::move(request), [intake](Result<UnpackedResults> unpacked) {
    auto shared = std::make_shared<Result<UnpackedResults>>(std::move(unpacked));
    intake->parts.control.post([intake, shared] { on_unpacked(intake, std::move(*shared)); });
  });
}

Result<ImportPointer> begin(const ManagementParts& parts, const ExchangePointer& exchange) {
  ASSIGN_OR_RETURN(const Query query,
                   parse_query(exchange->request.query, {"project", "name", "file_name", "input"}));
  auto intake = std::make_shared<Import>(Import{.parts = parts, .exchange = exchange});
  intake->file_name = query_value(query, "file_name", "model.nnp").substr(0, limits::kNameBytes);
  intake->project = query_value(query, "project", "");
  intake->name = query_value(query, "name", "");
  if (!intake->project.empty()) TRY(check_name("the project's name", intake->project));
  if (!intake->name.empty()) TRY(check_name("the name", intake->name));
  ASSIGN_OR_RETURN(intake->input_rules, input_rules_of(query));
  ASSIGN_OR_RETURN(intake->upload, upload_of(exchange->request));
  return intake;
}

}  // namespace

void create_import(const ManagementParts& parts, const ExchangePointer& exchange) {
  auto begun = begin(parts, exchange);
  if (!begun.ok()) return exchange->fail(begun.error());
  const ImportPointer intake = *begun;
  auto file = copy_of(intake->upload);
  if (!file.ok()) return exchange->fail(file.error());
  const auto request = std::make_shared<ImportRequest>(
      ImportRequest{std::move(*file), intake->file_name, {}, exchange->request.hang_up});
  import_in_turn(parts, exchange, [intake, request] { unpack(intake, std::move(*request)); });
}

}  // namespace noren::server
