#include "worker/import/import.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "worker/engine/package.h"
#include "worker/import/description.h"
#include "worker/import/onnx_analysis.h"
#include "worker/import/onnx_import.h"
#include "worker/import/simplify.h"
#include "worker/import/text_locale.h"
#include "worker/import/verify.h"
#include "worker/model_file/nnp/nnp.h"
#include "worker/model_file/text.h"
#include "worker/translate/translate.h"

namespace noren::worker {
namespace {

std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t place = text.size(); place > 3;) text.insert(place -= 3, ",");
  return text;
}

/// The rules of the per-request type that a model itself can break.
void judge_per_request(Description& description, double used_scalars, std::int64_t slowest_run_ns) {
  // The statistics count the network as it was drawn; a file could draw a small one and run a large one.
  const auto cost = whole_count(std::max(description.statistics.parameter, used_scalars));
  if (cost >= limits::kPerRequestCostParameterCount)
    description.per_request_reasons.push_back("CostParameter is " + with_commas(cost) +
                                              ", it must be under " +
                                              with_commas(limits::kPerRequestCostParameterCount));
  if (slowest_run_ns > limits::kInferenceDeadlineMs * 1'000'000)
    description.per_request_reasons.push_back(
        "one inference took " + std::to_string(slowest_run_ns / 1'000'000'000) + " s, it must end within " +
        std::to_string(limits::kInferenceDeadlineMs / 1000) + " s");
}

/// Tries the model, and takes "batchable" back where the trial does not prove it.
Result<std::int64_t> try_out(ByteView model, ExecutorSignature& executor, Proof proof,
                             std::string not_batchable_reason, Description& description) {
  auto verification = verify_model(model, executor, proof);
  if (!verification.ok()) {
    Error error = std::move(verification).error();
    error.text = "executor '" + executor.name + "': " + error.text;
    return error;
  }
  if (executor.batchable && !verification->rows_independent) {
    executor.batchable = false;
    not_batchable_reason = verification->not_batchable_reason.empty() ? verification->remark
                                                                      : verification->not_batchable_reason;
  }
  description.not_batchable_reasons.push_back(std::move(not_batchable_reason));
  if (!verification->remark.empty())
    description.warnings.push_back("executor '" + executor.name + "': " + verification->remark);
  // The other executors are opened when somebody asks for them.
  if (description.memory_bytes == 0)
    description.memory_bytes = limits::kWorkerBirthBytes + verification->memory_bytes;
  return verification->run_ns * (executor.random ? executor.evaluations_count : 1);
}

Result<Imported> import_nnp(ByteView bytes, const ImportOptions& options) {
  ASSIGN_OR_RETURN(const ModelFile file, read_nnp(bytes));
  Description description{.format = "nnp",
                          .networks = file.networks,
                          .parameters_count = file.stored_scalars_count,
                          .warnings = file.warnings};
  std::vector<Bytes> models;
  std::vector<Cost> costs;
  std::int64_t slowest_run_ns = 0;
  double used_scalars = 0;
  for (const Executor& executor : file.executors) {
    ASSIGN_OR_RETURN(TranslatedExecutor translated, translate_executor(file, executor));
    ASSIGN_OR_RETURN(translated.model, simplify_model(translated.model, translated.graph_shapes));
    ASSIGN_OR_RETURN(const std::int64_t run_ns,
                     try_out(translated.model, translated.signature, Proof::kTranslation,
                             std::move(translated.not_batchable_reason), description));
    slowest_run_ns = std::max(slowest_run_ns, run_ns);
    const Statistics statistics = network_statistics(executor, [&](std::string_view name) -> const Shape* {
      const auto found = translated.shapes.find(std::string(name));
      return found == translated.shapes.end() ? nullptr : &found->second;
    });
    costs.push_back(statistics.total);
    used_scalars += used_parameter_scalars(executor);
    if (options.layers == ImportOptions::Layers::kListed)
      description.layers.insert(description.layers.end(), statistics.functions.begin(),
                                statistics.functions.end());
    for (const Function& function : executor.network.functions) ++description.functions_count[function.type];
    description.warnings.insert(description.warnings.end(), translated.warnings.begin(),
                                translated.warnings.end());
    description.network_of_executor.push_back(executor.network.name);
    description.signature.executors.push_back(std::move(translated.signature));
    models.push_back(std::move(translated.model));
  }
  description.statistics = sum_of(costs);
  judge_per_request(description, used_scalars, slowest_run_ns);
  return Imported{encode_package(description.signature, models), to_json(description)};
}

/// The first of them, and how many more there are.
std::string listed(const std::set<std::string>& names) {
  constexpr std::size_t kShownCount = 10;
  std::string text;
  std::size_t count = 0;
  for (const std::string& name : names) {
    if (count == kShownCount) return text + " and " + std::to_string(names.size() - count) + " more";
    text += (count++ == 0 ? "" : ", ") + shown_name(name);
  }
  return text;
}

/// The operations of a plain ONNX model, as far as they are known.
void count_onnx(std::optional<OnnxStatistics> counted, const ImportOptions& options,
                Description& description) {
  if (!counted) {
    description.warnings.emplace_back("the statistics count its parameters alone");
    return;
  }
  description.statistics = counted->statistics.total;
  if (options.layers == ImportOptions::Layers::kListed)
    description.layers = std::move(counted->statistics.functions);
  if (counted->uncounted.empty()) return;
  description.warnings.push_back("the statistics count no operations of: " + listed(counted->uncounted));
}

Result<Imported> import_onnx(ByteView bytes, const ImportOptions& options) {
  ASSIGN_OR_RETURN(const OnnxFile file, read_onnx(bytes));
  ASSIGN_OR_RETURN(OnnxSignature signature, signature_of_onnx(file, options.input_rules));
  ExecutorSignature& executor = signature.executor;
  Description description{.format = "onnx", .parameters_count = file.stored_scalars_count};
  description.functions_count = file.operators_count;
  description.rule_sources = std::move(signature.rule_sources);
  description.labels = file.labels;
  for (const OnnxPort& output : file.outputs)
    if (!output.container.empty()) description.containers[output.name] = output.container;
  description.warnings = std::move(signature.warnings);
  OnnxAnalysis analysis = analyse_onnx(bytes, executor);
  count_onnx(std::move(analysis.statistics), options, description);
  description.statistics.parameter = static_cast<double>(file.cost_parameter_count);
  if (!file.producer.empty()) description.facts["producer"] = file.producer;
  for (const auto& [domain, version] : file.opsets)
    if (domain.empty() || domain == "ai.onnx") description.facts["opset"] = std::to_string(version);
  Bytes model(bytes.begin(), bytes.end());
  if (file.operators_count.contains("StringNormalizer")) {
    ASSIGN_OR_RETURN(model, with_built_in_locale(bytes));
  }
  executor.batchable = analysis.not_batchable_reason.empty();
  ASSIGN_OR_RETURN(const std::int64_t run_ns, try_out(model, executor, Proof::kTrial,
                                                      std::move(analysis.not_batchable_reason), description));
  judge_per_request(description, static_cast<double>(file.used_scalars_count), run_ns);
  description.network_of_executor.emplace_back();
  description.signature.executors.push_back(std::move(executor));
  return Imported{encode_package(description.signature, {std::move(model)}), to_json(description)};
}

bool is_named(const std::string& file_name, std::string_view extension) {
  return file_name.size() >= extension.size() &&
         std::string_view(file_name).substr(file_name.size() - extension.size()) == extension;
}

}  // namespace

Result<Imported> import_model(ByteView file, const ImportOptions& options) {
  if (file.empty()) return invalid("the file is empty");
  if (file.size() > limits::kModelFileBytes)
    return make_error(Code::kTooLarge, "the file is larger than 2 GiB");
  if (looks_like_archive(file) || is_named(options.file_name, ".nnp")) {
    if (!options.input_rules.empty())
      return invalid("--input is for .onnx models: an .nnp file says itself how it was trained");
    return import_nnp(file, options);
  }
  return import_onnx(file, options);
}

}  // namespace noren::worker
