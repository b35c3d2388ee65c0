#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "worker/engine/operators/operator.h"
#include "worker/engine/package.h"

namespace noren::worker {
namespace {

/// Sums of several evaluations, in float32 as the reference does it: a deviation is the difference of large
/// numbers, and what their rounding leaves is a part of its answer.
class Evaluations {
 public:
  void add(const std::vector<Tensor>& outputs) {
    sums_.resize(outputs.size());
    squares_.resize(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto count = static_cast<std::size_t>(outputs[i].count());
      sums_[i].resize(count);
      squares_[i].resize(count);
      const float* values = outputs[i].data<float>();
      for (std::size_t k = 0; k < count; ++k) {
        sums_[i][k] += values[k];
        squares_[i][k] += values[k] * values[k];
      }
    }
    ++count_;
  }
  /// Writes the mean, or sqrt(E[y^2] - E[y]^2) with nan as 0, over the last evaluation's values.
  void finish(EvaluationMode mode, std::vector<Tensor>& outputs) const {
    const auto n = static_cast<float>(count_);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      for (std::size_t k = 0; k < sums_[i].size(); ++k) {
        float value = sums_[i][k] / n;
        if (mode == EvaluationMode::kStandardDeviation) {
          value = std::sqrt(squares_[i][k] / n - value * value);
          if (std::isnan(value)) value = 0;
        }
        outputs[i].data<float>()[k] = value;
      }
  }

 private:
  std::vector<std::vector<float>> sums_, squares_;
  std::int64_t count_ = 0;
};

bool all_float(const std::vector<Tensor>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const Tensor& t) { return t.type() == ElementType::kFloat32; });
}

/// Stacks row inputs along axis 0.
Tensor stack(std::span<const std::vector<Tensor>> rows, std::size_t input_index) {
  const Tensor& first = rows.front()[input_index];
  Shape shape = first.shape();
  shape[0] = static_cast<std::int64_t>(rows.size());
  Tensor stacked(first.type(), shape);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Tensor& row = rows[r][input_index];
    CHECK(row.size_bytes() == first.size_bytes());
    if (row.size_bytes() > 0)
      std::memcpy(stacked.raw() + r * first.size_bytes(), row.raw(), row.size_bytes());
  }
  return stacked;
}

}  // namespace

struct ServableModel::State {
  Package package;
  EngineOptions options;
  std::vector<std::unique_ptr<Session>> sessions;
  /// For each executor: position in the session's inputs of each signature input, and of outputs likewise.
  std::vector<std::vector<std::size_t>> input_order, output_order;
};

ServableModel::ServableModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServableModel::~ServableModel() = default;

Result<std::unique_ptr<ServableModel>> ServableModel::open(ByteView package_bytes,
                                                           const EngineOptions& options) {
  auto state = std::make_unique<State>();
  ASSIGN_OR_RETURN(state->package, decode_package(package_bytes));
  state->options = options;
  const std::size_t count = state->package.models.size();
  state->sessions.resize(count);
  state->input_order.resize(count);
  state->output_order.resize(count);
  return std::unique_ptr<ServableModel>(new ServableModel(std::move(state)));
}

const ModelSignature& ServableModel::signature() const { return state_->package.signature; }

namespace {

/// Whether callers choose the length of an axis other than the batch.
bool has_free_axis(const ExecutorSignature& executor) {
  return std::any_of(executor.inputs.begin(), executor.inputs.end(), [](const InputSignature& input) {
    return std::any_of(input.shape.begin(), input.shape.end(),
                       [](std::int64_t length) { return length < 0; });
  });
}

template <typename Ports, typename Signatures>
Result<std::vector<std::size_t>> match(const Ports& ports, const Signatures& signatures) {
  std::vector<std::size_t> order;
  for (const auto& signature : signatures) {
    const auto found = std::find_if(ports.begin(), ports.end(),
                                    [&](const GraphPort& port) { return port.name == signature.graph_name; });
    if (found == ports.end()) return make_error(Code::kCorrupt, "the stored model is damaged");
    order.push_back(static_cast<std::size_t>(found - ports.begin()));
  }
  return order;
}

}  // namespace

Status ServableModel::prepare(std::size_t executor_index) {
  CHECK(executor_index < state_->sessions.size());
  if (state_->sessions[executor_index] != nullptr) return Ok{};
  const ExecutorSignature& executor = signature().executors[executor_index];
  EngineOptions options = state_->options;
  if (!has_free_axis(executor)) options.input_shapes = InputShapes::kFew;
  ASSIGN_OR_RETURN(auto session, open_session(state_->package.models[executor_index], options));
  ASSIGN_OR_RETURN(state_->input_order[executor_index], match(session->inputs(), executor.inputs));
  ASSIGN_OR_RETURN(state_->output_order[executor_index], match(session->outputs(), executor.outputs));
  if (session->inputs().size() != executor.inputs.size())
    return make_error(Code::kCorrupt, "the stored model is damaged");
  state_->sessions[executor_index] = std::move(session);
  return Ok{};
}

Result<std::vector<Tensor>> ServableModel::run(std::size_t executor_index, std::span<const Tensor> inputs) {
  TRY(prepare(executor_index));
  const ExecutorSignature& executor = signature().executors[executor_index];
  CHECK(inputs.size() == executor.inputs.size());
  std::vector<Tensor> reordered;
  const std::vector<std::size_t>& order = state_->input_order[executor_index];
  if (!std::is_sorted(order.begin(), order.end())) {
    reordered.resize(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) reordered[order[i]] = inputs[i];
  }
  const std::span<const Tensor> ordered = reordered.empty() ? inputs : std::span<const Tensor>(reordered);
  Session& session = *state_->sessions[executor_index];
  begin_request();
  ASSIGN_OR_RETURN(std::vector<Tensor> results, session.run(ordered));
  const bool combine = executor.evaluation_mode == EvaluationMode::kStandardDeviation ||
                       (executor.evaluations_count > 1 && executor.evaluation_mode != EvaluationMode::kLast);
  if (combine && !all_float(results)) return unsupported("several evaluations need float outputs");
  Evaluations evaluations;
  if (combine) evaluations.add(results);
  for (std::int64_t turn = 1; turn < executor.evaluations_count; ++turn) {
    // What draws nothing answers the same each time.
    if (executor.random) {
      ASSIGN_OR_RETURN(results, session.run(ordered));
    }
    if (combine) evaluations.add(results);
  }
  if (combine) evaluations.finish(executor.evaluation_mode, results);
  const std::vector<std::size_t>& positions = state_->output_order[executor_index];
  if (positions.size() == results.size() && std::is_sorted(positions.begin(), positions.end()))
    return results;
  std::vector<Tensor> outputs;
  outputs.reserve(positions.size());
  for (const std::size_t position : positions) outputs.push_back(results[position]);
  return outputs;
}

Result<std::vector<std::vector<Tensor>>> ServableModel::run_batch(std::size_t executor_index,
                                                                  std::span<const std::vector<Tensor>> rows) {
  TRY(prepare(executor_index));
  const ExecutorSignature& executor = signature().executors[executor_index];
  CHECK(executor.batchable && !rows.empty());
  std::vector<Tensor> stacked(executor.inputs.size());
  for (std::size_t i = 0; i < executor.inputs.size(); ++i)
    stacked[state_->input_order[executor_index][i]] = stack(rows, i);
  ASSIGN_OR_RETURN(const std::vector<Tensor> results, state_->sessions[executor_index]->run(stacked));
  std::vector<std::vector<Tensor>> answers(rows.size());
  for (const std::size_t position : state_->output_order[executor_index]) {
    const Tensor& result = results[position];
    Shape shape = result.shape();
    if (shape.empty() || shape[0] != static_cast<std::int64_t>(rows.size()))
      return internal("a batch of " + std::to_string(rows.size()) + " gave " + to_string(shape));
    shape[0] = 1;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      Tensor row(result.type(), shape);
      std::memcpy(row.raw(), result.raw() + r * row.size_bytes(), row.size_bytes());
      answers[r].push_back(std::move(row));
    }
  }
  return answers;
}

}  // namespace noren::worker
