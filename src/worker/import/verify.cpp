#include "worker/import/verify.h"

#include <cmath>
#include <random>

#include "base/clock.h"
#include "worker/engine/package.h"

namespace noren::worker {
namespace {

constexpr int kRowsCount = 3;
constexpr double kAbsolute = 1e-6, kRelative = 1e-5;

/// Values in (-1, 1) from a fixed seed: the same file is judged the same way each time.
std::vector<Tensor> sample_inputs(const ExecutorSignature& executor, std::mt19937& generator) {
  std::uniform_real_distribution<float> distribution(-1.0F, 1.0F);
  std::vector<Tensor> inputs;
  for (const InputSignature& input : executor.inputs) {
    Tensor tensor(input.type, input.shape);
    if (input.type == ElementType::kFloat32)
      for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.data<float>()[i] = distribution(generator);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

bool all_equal(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].type() != ElementType::kFloat32 || a[i].shape() != b[i].shape()) return false;
    for (std::int64_t k = 0; k < a[i].count(); ++k) {
      const double x = a[i].data<float>()[k], y = b[i].data<float>()[k];
      if (std::isnan(x) && std::isnan(y)) continue;
      if (x != y && !(std::abs(x - y) <= kAbsolute + kRelative * std::abs(y))) return false;
    }
  }
  return true;
}

bool has_free_axis(const ExecutorSignature& executor) {
  for (const InputSignature& input : executor.inputs)
    for (const std::int64_t dimension : input.shape)
      if (dimension < 0) return true;
  return false;
}

}  // namespace

Result<Verification> verify_model(ByteView onnx_model, const ExecutorSignature& signature) {
  ModelSignature model_signature;
  model_signature.executors.push_back(signature);
  model_signature.executors[0].evaluations_count = 1;
  const Bytes package = encode_package(model_signature, {Bytes(onnx_model.begin(), onnx_model.end())});
  ASSIGN_OR_RETURN(const auto model, ServableModel::open(package, EngineOptions{}));
  TRY(model->prepare(0));

  Verification verification;
  if (has_free_axis(signature)) {
    verification.remark = "it was not tried: an input has an axis of free length";
    return verification;
  }
  std::mt19937 generator(20200707);
  std::vector<std::vector<Tensor>> rows, alone;
  for (int row = 0; row < kRowsCount; ++row) {
    rows.push_back(sample_inputs(signature, generator));
    const MonotonicNs start_ns = system_clock().monotonic_ns();
    auto outputs = model->run(0, rows.back());
    verification.run_ns = system_clock().monotonic_ns() - start_ns;
    if (!outputs.ok() && outputs.error().code == Code::kExhausted) return outputs.error();
    if (!outputs.ok()) {
      verification.remark = "a trial run failed: " + outputs.error().text;
      return verification;
    }
    alone.push_back(std::move(*outputs));
    if (!signature.batchable) break;
  }
  verification.ran = true;
  if (!signature.batchable) return verification;
  const auto together = model->run_batch(0, rows);
  verification.rows_independent = together.ok();
  for (std::size_t row = 0; together.ok() && row < rows.size(); ++row)
    verification.rows_independent = verification.rows_independent && all_equal(alone[row], (*together)[row]);
  if (!verification.rows_independent)
    verification.remark = "requests are not batched: a trial batch answered otherwise";
  return verification;
}

}  // namespace noren::worker
