#include "worker/import/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <random>

#include "base/clock.h"
#include "worker/engine/package.h"

namespace noren::worker {
namespace {

constexpr int kRowsCount = 3;
constexpr std::uint32_t kSeed = 20200707;
constexpr double kAbsolute = 1e-6, kRelative = 1e-5;

/// Lengths that stand in for free axes, tried in this order: a text, a small picture, a usual one.
constexpr std::array<std::int64_t, 3> kStandInLengths = {16, 64, 224};
constexpr std::int64_t kStandInElementsCount = 1'000'000;

constexpr std::uint16_t kHalfOfOne = 0x3800, kBfloat16HalfOfOne = 0x3F00;

template <typename T>
void fill(Tensor& tensor, T value) {
  std::fill_n(tensor.data<T>(), tensor.count(), value);
}

template <typename T>
void fill(Tensor& tensor, std::mt19937& generator) {
  std::uniform_real_distribution<T> distribution(-1, 1);
  std::generate_n(tensor.data<T>(), tensor.count(), [&] { return distribution(generator); });
}

/// Floats in (-1, 1) from a fixed seed: the same file is judged the same way each time. Whole numbers are 1:
/// a valid index nearly everywhere, and nothing is divided by zero.
Tensor sample_of(const InputSignature& input, Shape shape, std::mt19937& generator) {
  Tensor tensor(input.type, std::move(shape));
  switch (input.type) {
    case ElementType::kFloat32: fill<float>(tensor, generator); break;
    case ElementType::kFloat64: fill<double>(tensor, generator); break;
    case ElementType::kFloat16: fill(tensor, kHalfOfOne); break;
    case ElementType::kBfloat16: fill(tensor, kBfloat16HalfOfOne); break;
    case ElementType::kInt8: fill(tensor, std::int8_t{1}); break;
    case ElementType::kInt16: fill(tensor, std::int16_t{1}); break;
    case ElementType::kInt32: fill(tensor, std::int32_t{1}); break;
    case ElementType::kInt64: fill(tensor, std::int64_t{1}); break;
    case ElementType::kBool:
    case ElementType::kUint8: fill(tensor, std::uint8_t{1}); break;
    case ElementType::kUint16: fill(tensor, std::uint16_t{1}); break;
    case ElementType::kUint32: fill(tensor, std::uint32_t{1}); break;
    case ElementType::kUint64: fill(tensor, std::uint64_t{1}); break;
    case ElementType::kString: break;
  }
  return tensor;
}

/// Empty where an input would be too large to be tried.
std::vector<Tensor> sample_inputs(const ExecutorSignature& executor, std::int64_t free_length,
                                  std::mt19937& generator) {
  std::vector<Tensor> inputs;
  for (const InputSignature& input : executor.inputs) {
    Shape shape = input.has_shape ? input.shape : Shape{1};
    bool is_free = false;
    for (std::int64_t& axis : shape) {
      is_free = is_free || axis < 0;
      axis = axis < 0 ? free_length : axis;
    }
    const auto count = checked_element_count(shape);
    if (!count.ok() || (is_free && *count > kStandInElementsCount)) return {};
    inputs.push_back(sample_of(input, std::move(shape), generator));
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
  return std::any_of(executor.inputs.begin(), executor.inputs.end(), [](const InputSignature& input) {
    return !input.has_shape || std::find(input.shape.begin(), input.shape.end(), -1) != input.shape.end();
  });
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
  const MonotonicNs start_ns = system_clock().monotonic_ns();
  auto outputs = model.run(0, trial.inputs);
  run_ns = system_clock().monotonic_ns() - start_ns;
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

Result<Verification> verify_model(ByteView onnx_model, const ExecutorSignature& signature) {
  ModelSignature model_signature;
  model_signature.executors.push_back(signature);
  model_signature.executors[0].evaluations_count = 1;
  const Bytes package = encode_package(model_signature, {Bytes(onnx_model.begin(), onnx_model.end())});
  ASSIGN_OR_RETURN(const auto model, ServableModel::open(package, EngineOptions{}));
  TRY(model->prepare(0));

  Verification verification;
  std::int64_t free_length = 1;
  if (has_free_axis(signature)) {
    free_length = find_free_length(*model, signature, verification);
    if (free_length == 0) return verification;
    verification.remark.clear();
  }
  std::mt19937 generator(kSeed);
  std::vector<std::vector<Tensor>> rows, alone;
  for (int row = 0; row < kRowsCount; ++row) {
    Trial trial = try_once(*model, signature, free_length, generator, verification.run_ns);
    // A length that stands in may be one that nobody sends: only what is fixed is judged by its memory.
    if (trial.failure && trial.failure->code == Code::kExhausted && !has_free_axis(signature))
      return *trial.failure;
    if (!trial.remark.empty()) {
      verification.remark = trial.remark;
      return verification;
    }
    rows.push_back(std::move(trial.inputs));
    alone.push_back(std::move(trial.outputs));
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
