#include "worker/model_file/nnp/executors.h"

#include <set>
#include <utility>

#include "base/limits.h"
#include "worker/model_file/nnp/design_of.h"
#include "worker/model_file/nnp/loops.h"
#include "worker/model_file/text.h"

namespace noren::worker::nnp {
namespace {

/// Layers whose argument "shape" is the whole shape of their output, its first number maybe the batch.
bool shape_is_output_shape(const std::string& type) {
  static const std::set<std::string, std::less<>> types = {"Reshape",      "Broadcast", "Constant",
                                                           "Rand",         "Randint",   "Randn",
                                                           "RandBinomial", "RandBeta",  "RandGamma"};
  return types.contains(type);
}

bool is_generator_type(const std::string& type) {
  return type == "Normal" || type == "Uniform" || type == "Range" || type == "Constant";
}

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const std::int64_t dimension : shape) text += (text.empty() ? "" : "x") + std::to_string(dimension);
  return text.empty() ? "scalar" : text;
}

/// One executor on its way from raw to resolved.
class Resolver {
 public:
  Resolver(const RawModel& model, const RawExecutor& raw, const FlatNetwork& flat, NamesBudget& budget)
      : model_(model), raw_(raw), flat_(flat), budget_(budget) {}

  /// The batch size that stands in shapes and becomes 1; 0 for none. After run().
  std::int64_t fixed_batch() const { return fixed_batch_; }

  Result<Executor> run() {
    TRY(read_options());
    TRY(read_bindings());
    choose_batch();
    TRY(find_writers());
    TRY(order_functions());
    TRY(collect_variables());
    TRY(finish_inputs());
    resolve_arguments();
    return std::move(executor_);
  }

 private:
  struct Visit {
    std::size_t function;
    std::size_t next_input;
  };

  std::string where() const { return "executor " + quoted_name(raw_.name); }
  std::string network_label() const { return "network " + quoted_name(flat_.raw->name); }

  Status read_options() {
    executor_.name = raw_.name;
    executor_.losses = raw_.losses;
    executor_.need_back_propagation = raw_.need_back_propagation;
    executor_.evaluations_count = raw_.evaluations_count > 0 ? raw_.evaluations_count : 1;
    if (executor_.evaluations_count > limits::kEvaluationsCount) {
      return make_error(Code::kTooLarge, where() + " evaluates " + std::to_string(raw_.evaluations_count) +
                                             " times for one request, at most " +
                                             std::to_string(limits::kEvaluationsCount) + " are possible");
    }
    if (raw_.repeat_evaluation_type == "last") executor_.repeat_evaluation = RepeatEvaluation::kLast;
    if (raw_.repeat_evaluation_type == "std")
      executor_.repeat_evaluation = RepeatEvaluation::kStandardDeviation;
    executor_.no_image_normalization = model_.dataset_without_normalization;
    for (const RawExecutor& any : model_.executors) {
      executor_.no_image_normalization |= any.no_image_normalization;
    }
    executor_.network.name = flat_.raw->name;
    executor_.network.batch_size = flat_.raw->batch_size;
    return Ok{};
  }

  Result<const RawVariable*> find(const std::string& name, const char* role) const {
    const auto found = flat_.variables.find(name);
    if (found != flat_.variables.end()) return found->second;
    return invalid(where() + ": its " + role + " variable " + quoted_name(name) + " is not in " +
                   network_label());
  }

  Status read_bindings() {
    for (const RawBinding& data : raw_.inputs) {
      TRY(find(data.variable, "data"));
      if (!inputs_.insert(data.variable).second) {
        return invalid(where() + " has data variable " + quoted_name(data.variable) + " twice");
      }
      const std::string& name = data.data_name.empty() ? data.variable : data.data_name;
      executor_.inputs.push_back({data.variable, name, {}, false});
    }
    for (const Generator& generator : raw_.generators) {
      TRY(find(generator.variable, "generator"));
      if (!is_generator_type(generator.type)) {
        return unsupported(where() + ": generator " + quoted_name(generator.type) + " of variable " +
                           quoted_name(generator.variable) +
                           " is not known (Normal, Uniform, Range, Constant)");
      }
      generators_[generator.variable] = generator;
    }
    if (raw_.outputs.empty()) return invalid(where() + " has no output variable");
    for (const RawBinding& output : raw_.outputs) {
      TRY(find(output.variable, "output"));
      executor_.outputs.push_back({output.variable, output.data_name, flat_.resolve(output.variable)});
    }
    return Ok{};
  }

  /// A first dimension of -1, or one equal to batch_size > 1 in every data variable, is the batch.
  void choose_batch() {
    const std::int64_t size = flat_.raw->batch_size;
    if (size <= 1) return;
    const auto begins_with_batch = [&](const std::string& name) {
      const Shape& shape = flat_.variables.at(name)->shape;
      return !shape.empty() && (shape[0] == size || shape[0] == -1);
    };
    bool all = !raw_.inputs.empty() || !raw_.generators.empty();
    for (const RawBinding& data : raw_.inputs) all &= begins_with_batch(data.variable);
    if (raw_.inputs.empty()) {
      for (const Generator& generator : raw_.generators) all &= begins_with_batch(generator.variable);
    }
    if (all) fixed_batch_ = size;
  }

  bool is_batch(std::int64_t first) const {
    return first == -1 || (fixed_batch_ > 1 && first == fixed_batch_);
  }

  Status find_writers() {
    for (std::size_t i = 0; i < flat_.functions.size(); ++i) {
      for (const std::string& output : flat_.functions[i].outputs) writers_[output] = i;
    }
    for (const std::string& input : inputs_) {
      const std::string& source = flat_.resolve(input);
      const auto writer = writers_.find(source);
      if (writer == writers_.end() && source == input) continue;
      return invalid(where() + ": data variable " + quoted_name(input) +
                     " is computed by the network itself");
    }
    return Ok{};
  }

  /// Depth first from the outputs, without recursion. What no output needs is never visited.
  Status order_functions() {
    enum class State : std::uint8_t { kNew, kOpen, kDone };
    std::vector<State> states(flat_.functions.size(), State::kNew);
    std::vector<Visit> stack;
    const auto enter = [&](const std::string& variable) -> Status {
      const auto writer = writers_.find(flat_.resolve(variable));
      if (writer == writers_.end() || states[writer->second] == State::kDone) return Ok{};
      if (states[writer->second] == State::kOpen) {
        const Function& f = flat_.functions[writer->second];
        return invalid(network_label() + " has a cycle through " + layer_label(f.name, f.type));
      }
      states[writer->second] = State::kOpen;
      stack.push_back({writer->second, 0});
      return Ok{};
    };
    for (const OutputVariable& output : executor_.outputs) {
      TRY(enter(output.source));
      while (!stack.empty()) {
        Visit& visit = stack.back();
        const Function& f = flat_.functions[visit.function];
        if (visit.next_input < f.inputs.size()) {
          TRY(enter(f.inputs[visit.next_input++]));
          continue;
        }
        states[visit.function] = State::kDone;
        TRY(budget_.spend(f));
        executor_.network.functions.push_back(f);
        for (std::string& input : executor_.network.functions.back().inputs) input = flat_.resolve(input);
        stack.pop_back();
      }
    }
    return Ok{};
  }

  /// Declared shape with the batch as 1. -1 anywhere is the batch too, as in the reference.
  Variable variable_of(const RawVariable& raw) const {
    Variable variable;
    variable.kind = raw.is_parameter ? VariableKind::kParameter : VariableKind::kBuffer;
    variable.shape = raw.shape;
    if (raw.is_parameter) return variable;
    for (std::size_t axis = 0; axis < variable.shape.size(); ++axis) {
      const bool batch = axis == 0 ? is_batch(variable.shape[0]) : variable.shape[axis] == -1;
      if (!batch) continue;
      variable.shape[axis] = 1;
      variable.has_batch_axis |= axis == 0;
    }
    return variable;
  }

  /// Shapes that bind (inputs and parameters) must be possible.
  Status check_shape(const std::string& name, const Shape& shape, const char* role) const {
    const std::string owner = network_label() + ": " + role + " " + quoted_name(name);
    if (shape.size() > limits::kRankCount) {
      return make_error(Code::kTooLarge, owner + " has " + std::to_string(shape.size()) +
                                             " dimensions, at most " + std::to_string(limits::kRankCount) +
                                             " are possible");
    }
    std::int64_t count = 1;
    for (const std::int64_t dimension : shape) {
      if (dimension < 1) {
        return invalid(owner + " has the shape " + shape_text(shape) + ": a dimension must be 1 or more");
      }
      if (dimension > limits::kTensorElementsCount / count) {
        return make_error(Code::kTooLarge, owner + " has the shape " + shape_text(shape) + ": more than " +
                                               std::to_string(limits::kTensorElementsCount) + " numbers");
      }
      count *= dimension;
    }
    return Ok{};
  }

  Status add_variable(const std::string& name, const Function* reader) {
    if (executor_.network.variables.contains(name)) return Ok{};
    const RawVariable& raw = *flat_.variables.at(name);
    Variable variable = variable_of(raw);
    const bool is_data = inputs_.contains(name) || generators_.contains(name);
    if (is_data) variable.kind = VariableKind::kBuffer;
    const bool is_written = writers_.contains(name);
    if (is_data || raw.is_parameter) {
      TRY(check_shape(name, variable.shape, raw.is_parameter ? "parameter" : "variable"));
    } else if (!is_written) {
      TRY(add_initialized(name, raw, variable, reader));
    }
    executor_.network.variables.emplace(name, std::move(variable));
    return Ok{};
  }

  /// A variable that nobody fills: fine only where it declares how it begins.
  Status add_initialized(const std::string& name, const RawVariable& raw, const Variable& variable,
                         const Function* reader) {
    if (is_generator_type(raw.initializer_type)) {
      TRY(check_shape(name, variable.shape, "variable"));
      executor_.generators.push_back({name, raw.initializer_type, raw.initializer_multiplier});
      return Ok{};
    }
    const std::string who = reader == nullptr ? where() : layer_label(reader->name, reader->type);
    return invalid(network_label() + ": " + who + " reads variable " + quoted_name(name) +
                   ", which no layer writes and the executor gives no data for");
  }

  Status collect_variables() {
    for (const Function& f : executor_.network.functions) {
      for (const std::string& input : f.inputs) TRY(add_variable(input, &f));
      for (const std::string& output : f.outputs) TRY(add_variable(output, &f));
    }
    for (const OutputVariable& output : executor_.outputs) TRY(add_variable(output.source, nullptr));
    for (const auto& [name, generator] : generators_) {
      const bool is_read = executor_.network.variables.contains(name);
      if (is_read && !inputs_.contains(name) && !writers_.contains(name)) {
        executor_.generators.push_back(generator);
      }
    }
    return Ok{};
  }

  Status finish_inputs() {
    for (DataVariable& input : executor_.inputs) {
      TRY(add_variable(input.variable, nullptr));
      const Variable& variable = executor_.network.variables.at(input.variable);
      input.shape = variable.shape;
      input.has_batch_axis = variable.has_batch_axis;
    }
    return Ok{};
  }

  /// A first -1 in an argument named "shape" is the batch; so is the fixed batch size in the shape of an
  /// output.
  void resolve_arguments() {
    for (Function& f : executor_.network.functions) {
      const Argument* argument = f.arguments.find("shape");
      if (argument == nullptr) continue;
      const auto* declared = std::get_if<std::vector<std::int64_t>>(argument);
      if (declared == nullptr || declared->empty()) continue;
      const std::int64_t first = declared->front();
      if (first != -1 && !(is_batch(first) && shape_is_output_shape(f.type))) continue;
      Shape shape = *declared;
      shape[0] = 1;
      f.arguments.set("shape", std::move(shape));
      f.arguments.mark_shape_as_batch();
    }
  }

  const RawModel& model_;
  const RawExecutor& raw_;
  const FlatNetwork& flat_;
  NamesBudget& budget_;
  Executor executor_;
  std::set<std::string, std::less<>> inputs_;
  std::map<std::string, Generator, std::less<>> generators_;
  std::map<std::string, std::size_t, std::less<>> writers_;
  std::int64_t fixed_batch_ = 0;
};

/// All executors of a model. What several of them need is made once.
class ModelResolver {
 public:
  explicit ModelResolver(const RawModel& model) : model_(model) {}

  Result<std::vector<Executor>> run() {
    if (model_.executors.empty()) return invalid("the file has no executor, so nothing says what to run");
    for (const RawNetwork& network : model_.networks) {
      if (!networks_.emplace(network.name, &network).second) {
        return invalid("the file defines network " + quoted_name(network.name) + " twice");
      }
    }
    std::set<std::string_view> names;
    for (const RawExecutor& raw : model_.executors) {
      if (!names.insert(raw.name).second) {
        return invalid("the file has two executors named " + quoted_name(raw.name));
      }
      TRY(add(raw));
    }
    return std::move(executors_);
  }

 private:
  Status add(const RawExecutor& raw) {
    const auto network = networks_.find(raw.network);
    if (network == networks_.end()) {
      return invalid("executor " + quoted_name(raw.name) + " runs network " + quoted_name(raw.network) +
                     ", which the file does not have");
    }
    if (!flat_.contains(raw.network)) {
      ASSIGN_OR_RETURN(FlatNetwork unrolled, unroll(*network->second, budget_));
      flat_.emplace(raw.network, std::move(unrolled));
    }
    Resolver resolver(model_, raw, flat_.at(raw.network), budget_);
    ASSIGN_OR_RETURN(Executor executor, resolver.run());
    functions_count_ += executor.network.functions.size();
    if (functions_count_ > limits::kFunctionsCount) {
      return make_error(Code::kTooLarge, "the executors have together more than " +
                                             std::to_string(limits::kFunctionsCount) + " layers");
    }
    std::shared_ptr<const Design>& design = designs_[{raw.network, resolver.fixed_batch()}];
    if (design == nullptr) {
      design = std::make_shared<Design>(design_of(model_, *network->second, resolver.fixed_batch()));
    }
    executor.design = design;
    executors_.push_back(std::move(executor));
    return Ok{};
  }

  const RawModel& model_;
  NamesBudget budget_;
  std::map<std::string_view, const RawNetwork*> networks_;
  std::map<std::string_view, FlatNetwork> flat_;
  std::map<std::pair<std::string_view, std::int64_t>, std::shared_ptr<const Design>> designs_;
  std::vector<Executor> executors_;
  std::size_t functions_count_ = 0;
};

}  // namespace

Result<std::vector<Executor>> resolve_executors(const RawModel& model) { return ModelResolver(model).run(); }

}  // namespace noren::worker::nnp
