#include "worker/import/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <random>

#include <malloc.h>

#include "base/stopwatch.h"
#include "worker/engine/package.h"
#include "worker/engine/sample_inputs.h"
#include "worker/model_file/text.h"

namespace noren::worker {
namespace {

constexpr int kRowsCount = 3;
constexpr std::uint32_t kSeed = 20200707;
constexpr double kAbsolute = 1e-6, kRelative = 1e-5;

/// Lengths that stand in for free axes, tried in this order: a text, a small picture, a usual one.
constexpr std::array<std::int64_t, 3> kStandInLengths = {16, 64, 224};
std::int64_t heap_in_use_bytes() {
  const struct mallinfo2 heap = ::mallinfo2();
  return static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
}

bool are_equal(const Tensor& a, const Tensor& b) {
  if (a.type() != ElementType::kFloat32 || a.shape() != b.shape()) return false;
  for (std::int64_t k = 0; k < a.count(); ++k) {
    const double x = a.data<float>()[k], y = b.data<float>()[k];
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x != y && !(std::abs(x - y) <= kAbsolute + kRelative * std::abs(y))) return false;
  }
  return true;
}

bool is_finite(const Tensor& tensor) {
  return std::all_of(tensor.data<float>(), tensor.data<float>() + tensor.count(),
                     [](float value) { return std::isfinite(value); });
}

using Answers = std::vector<std::vector<Tensor>>;  // of each request

/// Answers that a mix of rows would not change show nothing. Empty: they would show it.
std::string why_nothing_is_shown(const Answers& alone, const ExecutorSignature& executor) {
  for (std::size_t output = 0; output < executor.outputs.size(); ++output) {
    const std::string owner = "output " + quoted_name(executor.outputs[output].name);
    bool differ = false;
    for (const std::vector<Tensor>& answer : alone) {
      if (answer[output].type() != ElementType::kFloat32) return owner + " is not float32";
      if (!is_finite(answer[output]))
        return "a trial can't show that rows are independent: " + owner + " is not finite";
      differ = differ || !are_equal(answer[output], alone.front()[output]);
    }
    if (!differ)
      return "a trial can't show that rows are independent: " + owner + " is the same for all samples";
  }
  return {};
}

/// Empty: a batch of the rows answers as they do alone.
std::string why_rows_depend(ServableModel& model, const Answers& rows, const Answers& alone) {
  const auto together = model.run_batch(0, rows);
  if (!together.ok()) return "a trial batch failed: " + together.error().text;
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (std::size_t output = 0; output < alone[row].size(); ++output)
      if (!are_equal(alone[row][output], (*together)[row][output])) return "a trial batch answered otherwise";
  return {};
}

/// One request. The remark says why it failed.
struct Trial {
  std::vector<Tensor> inputs, outputs;
  std::string remark;
  std::optional<Error> failure;
};

Trial try_once(ServableModel& model, const ExecutorSignature& executor, std::int64_t free_length,
               std::mt19937& generator, std::int64_t& run_ns) {
  Trial trial;
  trial.inputs = sample_inputs(executor, free_length, generator);
  if (trial.inputs.size() != executor.inputs.size()) {
    trial.remark = "it was not tried: its free axes make it too large";
    return trial;
  }
  const Stopwatch stopwatch;  // imports yield the cores to requests
  auto outputs = model.run(0, trial.inputs);
  run_ns = stopwatch.run_ns();
  if (outputs.ok()) {
    trial.outputs = std::move(*outputs);
  } else {
    trial.failure = std::move(outputs).error();
    trial.remark = "a trial run failed: " + trial.failure->text;
  }
  return trial;
}

/// The first length for free axes with which the model runs, 0 where none does (the remark says why).
std::int64_t find_free_length(ServableModel& model, const ExecutorSignature& executor,
                              Verification& verification) {
  for (const std::int64_t length : kStandInLengths) {
    std::mt19937 generator(kSeed);
    const Trial trial = try_once(model, executor, length, generator, verification.run_ns);
    if (trial.remark.empty()) return length;
    verification.remark = trial.remark + " (free axes were tried with " + std::to_string(length) + ")";
  }
  return 0;
}

}  // namespace

Result<Verification> verify_model(ByteView onnx_model, const ExecutorSignature& signature, Proof proof) {
  ModelSignature model_signature;
  model_signature.executors.push_back(signature);
  model_signature.executors[0].evaluations_count = 1;
  const Bytes package = encode_package(model_signature, {Bytes(onnx_model.begin(), onnx_model.end())});
  const std::int64_t before_bytes = heap_in_use_bytes();
  ASSIGN_OR_RETURN(const auto model, ServableModel::open(package, EngineOptions{}));
  TRY(model->prepare(0));

  Verification verification;
  verification.memory_bytes = std::max<std::int64_t>(0, heap_in_use_bytes() - before_bytes);
  std::int64_t free_length = 1;
  if (has_free_axis(signature)) {
    free_length = find_free_length(*model, signature, verification);
    if (free_length == 0) return verification;
    verification.remark.clear();
  }
  std::mt19937 generator(kSeed);
  Answers rows, alone;
  for (int row = 0; row < kRowsCount; ++row) {
    Trial trial = try_once(*model, signature, free_length, generator, verification.run_ns);
    // A length that stands in may be one that nobody sends: only what is fixed is judged by its memory.
    if (trial.failure && trial.failure->code == Code::kExhausted && !has_free_axis(signature))
      return *trial.failure;
    if (!trial.remark.empty()) {
      verification.remark = trial.remark;
      return verification;
    }
    if (row == 0)
      verification.memory_bytes = std::max(verification.memory_bytes, heap_in_use_bytes() - before_bytes);
    rows.push_back(std::move(trial.inputs));
    alone.push_back(std::move(trial.outputs));
    if (!signature.batchable) break;
  }
  verification.ran = true;
  if (!signature.batchable) return verification;
  std::string& reason = verification.not_batchable_reason;
  if (proof == Proof::kTrial) reason = why_nothing_is_shown(alone, signature);
  if (reason.empty()) reason = why_rows_depend(*model, rows, alone);
  verification.rows_independent = reason.empty();
  if (!reason.empty()) verification.remark = "requests are not batched: " + reason;
  return verification;
}

}  // namespace noren::worker
