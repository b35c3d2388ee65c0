#include "worker/session/model/model_parts.h"

#include <utility>

#include "domain/model_interface.h"
#include "worker/engine/package.h"
#include "worker/engine/sample_inputs.h"
#include "worker/import/import.h"
#include "worker/protocol/classic/classic.h"
#include "worker/results/results.h"

namespace noren::worker {
namespace {

/// A package and the classic protocol.
class ModelServable final : public Servable {
 public:
  ModelServable(std::unique_ptr<ServableModel> model, const link::LoadRequest& options)
      : model_(std::move(model)), parser_(model_->signature()), version_(options.version_label) {
    for (const ExecutorSignature& executor : model_->signature().executors) {
      std::vector<std::string> names;
      for (const OutputSignature& output : executor.outputs) names.push_back(output.name);
      output_names_.push_back(options.keep_output_names ? std::move(names) : documented_names(names));
    }
  }

  bool batchable(std::size_t executor_index) const override {
    const ExecutorSignature& executor = model_->signature().executors[executor_index];
    return executor.batchable && !executor.random && executor.evaluations_count == 1;
  }

  Result<ParsedRequest> parse(ByteView body, AcceptedFiles accepted) override {
    ASSIGN_OR_RETURN(ClassicRequest request, parser_.parse(body, accepted));
    return ParsedRequest{request.executor_index, std::move(request.inputs)};
  }

  Result<std::vector<Tensor>> run(std::size_t executor_index, std::span<const Tensor> inputs) override {
    return model_->run(executor_index, inputs);
  }

  Result<std::vector<std::vector<Tensor>>> run_batch(std::size_t executor_index,
                                                     std::span<const std::vector<Tensor>> rows) override {
    return model_->run_batch(executor_index, rows);
  }

  Status try_sample() override {
    std::mt19937 generator(1);  // the same model is judged the same way each time
    for (std::size_t index = 0; index < model_->signature().executors.size(); ++index) {
      const Status answered = try_executor(index, generator);
      if (answered.ok()) continue;
      const std::string& name = model_->signature().executors[index].name;
      return make_error(answered.error().code,
                        "executor '" + name + "' fails on a sample request: " + answered.error().text,
                        answered.error().detail);
    }
    return Ok{};
  }

  Status format(std::size_t executor_index, std::span<const Tensor> outputs, Bytes& out) override {
    ASSIGN_OR_RETURN(const std::string answer,
                     format_answer(version_, output_names_[executor_index], outputs));
    out.insert(out.end(), answer.begin(), answer.end());
    return Ok{};
  }

 private:
  Status try_executor(std::size_t index, std::mt19937& generator) {
    TRY(model_->prepare(index));
    const ExecutorSignature& executor = model_->signature().executors[index];
    if (has_free_axis(executor)) return Ok{};
    ASSIGN_OR_RETURN(const auto outputs, run(index, sample_inputs(executor, 1, generator)));
    Bytes answer;
    return format(index, outputs, answer);
  }

  std::unique_ptr<ServableModel> model_;
  ClassicParser parser_;
  std::string version_;
  std::vector<std::vector<std::string>> output_names_;
};

Result<std::unique_ptr<Servable>> open_model(ByteView package, const link::LoadRequest& options) {
  EngineOptions engine;
  engine.threads_count = static_cast<int>(options.threads_count);
  engine.device = options.on_gpu ? Device::kCuda : Device::kCpu;
  engine.device_memory_limit_bytes = options.gpu_memory_limit_bytes;
  ASSIGN_OR_RETURN(auto model, ServableModel::open(package, engine));
  // The first executor answers where a request names none; opening it now is part of the load, not of a
  // request.
  TRY(model->prepare(0));
  return std::unique_ptr<Servable>(std::make_unique<ModelServable>(std::move(model), options));
}

Result<Inspected> inspect_model(ByteView file, const link::InspectRequest& request) {
  ImportOptions options;
  options.file_name = request.file_name;
  options.input_rules = request.input_rules;
  options.layers = request.list_layers ? ImportOptions::Layers::kListed : ImportOptions::Layers::kCounted;
  ASSIGN_OR_RETURN(Imported imported, import_model(file, options));
  return Inspected{std::move(imported.package), std::move(imported.description_json)};
}

class FunctionSink final : public PartSink {
 public:
  explicit FunctionSink(const WritePart& write) : write_(write) {}
  Status write(ByteView bytes) override { return write_(bytes); }

 private:
  const WritePart& write_;
};

Result<std::string> unpack_archive(ByteView file, const link::InspectRequest& request,
                                   const WritePart& write) {
  FunctionSink sink(write);
  return unpack_results(file, request.file_name, sink);
}

}  // namespace

SessionParts model_parts() { return {open_model, inspect_model, unpack_archive}; }

}  // namespace noren::worker
