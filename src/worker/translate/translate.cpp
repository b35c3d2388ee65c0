#include "worker/translate/translate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/limits.h"
#include "worker/translate/layer.h"

namespace noren::worker {
namespace {

std::shared_ptr<const Tensor> tensor_of(const Parameter& parameter) {
  auto tensor = std::make_shared<Tensor>(ElementType::kFloat32, parameter.shape);
  if (!parameter.values->empty())
    std::memcpy(tensor->raw(), parameter.values->data(), parameter.values->size() * sizeof(float));
  return tensor;
}

EvaluationMode mode_of(RepeatEvaluation evaluation) {
  switch (evaluation) {
    case RepeatEvaluation::kLast: return EvaluationMode::kLast;
    case RepeatEvaluation::kStandardDeviation: return EvaluationMode::kStandardDeviation;
    case RepeatEvaluation::kMean: break;
  }
  return EvaluationMode::kMean;
}

/// One executor on its way into a graph: the values of its variables, and what was learned about batching.
class Translation {
 public:
  Translation(const ModelFile& file, const Executor& executor) : file_(file), executor_(executor) {}

  Result<TranslatedExecutor> run() {
    result_.signature.name = executor_.name;
    result_.signature.evaluations_count = executor_.evaluations_count;
    result_.signature.evaluation_mode = mode_of(executor_.repeat_evaluation);
    add_inputs();
    for (const Generator& generator : executor_.generators) TRY(add_generator(generator));
    for (const Function& function : executor_.network.functions) TRY(add_function(function));
    TRY(add_outputs());
    note_types_on_cpu();
    const bool batchable = result_.not_batchable_reason.empty();
    if (!batchable) graph_.fix_batch_axes();
    result_.signature.batchable = batchable;
    ASSIGN_OR_RETURN(result_.model, graph_.finish());
    for (const auto& [name, value] : values_) result_.shapes[name] = value.shape;
    result_.graph_shapes = graph_.shapes();
    return std::move(result_);
  }

 private:
  void not_batchable(std::string reason) {
    if (result_.not_batchable_reason.empty()) result_.not_batchable_reason = std::move(reason);
  }

  void note_types_on_cpu() {
    if (types_on_cpu_.empty()) return;
    std::string types;
    for (const std::string& type : types_on_cpu_) types += (types.empty() ? "" : ", ") + type;
    result_.warnings.push_back("executor '" + executor_.name +
                               "': on a GPU these layers run on the CPU, with copies in between: " + types);
  }

  void add_inputs() {
    if (executor_.inputs.empty()) not_batchable("the executor has no inputs");
    if (executor_.evaluations_count > 1) not_batchable("the executor evaluates several times");
    if (executor_.repeat_evaluation == RepeatEvaluation::kStandardDeviation)
      not_batchable("the executor answers with a deviation");
    for (const DataVariable& data : executor_.inputs) {
      const std::string graph_name = "input" + std::to_string(result_.signature.inputs.size());
      values_[data.variable] = graph_.input(graph_name, ElementType::kFloat32, data.shape,
                                            data.has_batch_axis ? BatchAxis::kFirst : BatchAxis::kNone);
      InputSignature input{.name = data.data_name,
                           .variable = data.variable,
                           .graph_name = graph_name,
                           .shape = data.shape,
                           .has_batch_axis = data.has_batch_axis};
      input.image.normalize = !executor_.no_image_normalization;
      result_.signature.inputs.push_back(std::move(input));
      if (!data.has_batch_axis) not_batchable("input '" + data.variable + "' has no batch axis");
    }
  }

  Status add_generator(const Generator& generator) {
    const auto variable = executor_.network.variables.find(generator.variable);
    if (variable == executor_.network.variables.end())
      return invalid("generator variable '" + generator.variable + "' is not in the network");
    ASSIGN_OR_RETURN(values_[generator.variable], generated(generator, variable->second.shape));
    return Ok{};
  }

  Result<Value> generated(const Generator& generator, const Shape& shape) {
    const auto multiplier = static_cast<float>(generator.multiplier);
    const auto count = static_cast<std::size_t>(element_count(shape));
    if (generator.type == "Constant") return graph_.floats(shape, std::vector<float>(count, multiplier));
    if (generator.type == "Range") {
      std::vector<float> values(count);
      for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) * multiplier;
      return graph_.floats(shape, std::move(values));
    }
    if (generator.type != "Normal" && generator.type != "Uniform")
      return unsupported("generator variable '" + generator.variable + "': the type '" + generator.type +
                         "' is not one of Constant, Range, Normal, Uniform");
    result_.signature.random = true;
    not_batchable("generator variable '" + generator.variable + "' is drawn anew for each request");
    // Both are symmetric: the sign of the multiplier says nothing.
    const float width = std::abs(multiplier);
    if (generator.type == "Normal")
      return graph_.node("noren::RandomNormal", {}, shape,
                         {{"shape", shape}, {"mu", 0.0F}, {"sigma", width}, {"once_a_request", 1}});
    return graph_.node("noren::RandomUniform", {}, shape,
                       {{"shape", shape}, {"low", -width}, {"high", width}, {"once_a_request", 1}});
  }

  /// The value of a variable that a function reads; an empty name stands for an input that is left out.
  Result<Value> value_of(const Function& function, const std::string& name) {
    if (name.empty()) return Value{};
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    const auto parameter = file_.parameters.find(name);
    if (parameter != file_.parameters.end() && parameter->second.values != nullptr)
      return values_[name] = graph_.constant(tensor_of(parameter->second));
    return invalid("layer '" + function.name + "' (" + function.type + ") reads '" + name +
                   "', which nothing writes");
  }

  Status add_function(const Function& function) {
    const LayerDefinition* definition = find_layer(function.type);
    if (definition == nullptr) return unknown(function);
    Layer layer{function, {}, graph_};
    for (const std::string& name : function.inputs) {
      ASSIGN_OR_RETURN(Value value, value_of(function, name));
      layer.inputs.push_back(std::move(value));
    }
    const auto count = static_cast<int>(layer.inputs.size());
    if (count < definition->inputs_min || count > definition->inputs_max)
      return layer.refuse("it has " + std::to_string(count) + " inputs, at least " +
                          std::to_string(definition->inputs_min) + " are needed");
    const std::size_t own_before_count = graph_.own_nodes_count();
    ASSIGN_OR_RETURN(const std::vector<Value> outputs, definition->translate(layer));
    if (graph_.own_nodes_count() > own_before_count) types_on_cpu_.insert(function.type);
    if (outputs.size() < function.outputs.size())
      return layer.refuse("it has " + std::to_string(function.outputs.size()) + " outputs, " +
                          std::to_string(outputs.size()) + " are possible");
    note_rows(layer, *definition, outputs);
    for (std::size_t i = 0; i < function.outputs.size(); ++i) {
      const auto elements = checked_element_count(outputs[i].shape);
      if (!elements.ok()) return layer.refuse(elements.error().text);
      if (*elements == 0) return layer.refuse("its output " + to_string(outputs[i].shape) + " holds nothing");
      if (outputs[i].shape.size() > limits::kRankCount)
        return layer.refuse("its output has " + std::to_string(outputs[i].shape.size()) + " axes, at most " +
                            std::to_string(limits::kRankCount) + " are possible");
      values_[function.outputs[i]] = outputs[i];
    }
    return Ok{};
  }

  static Error unknown(const Function& function) {
    const std::string place = "layer '" + function.name + "' (" + function.type + "): ";
    const std::string_view reason = refusal_reason(function.type);
    if (reason.empty()) return unsupported(place + "this type of layer is not known");
    return unsupported(place + "it can't be published: " + std::string(reason));
  }

  void note_rows(const Layer& layer, const LayerDefinition& definition, const std::vector<Value>& outputs) {
    if (definition.randomness == Randomness::kDraws) result_.signature.random = true;
    const auto has_batch = [](const Value& value) { return value.batch; };
    const auto is_for_all = [](const Value& value) { return value.batch || value.constant != nullptr; };
    if (definition.randomness == Randomness::kDraws)
      not_batchable("layer '" + layer.function.name + "' draws at random");
    if (std::none_of(layer.inputs.begin(), layer.inputs.end(), has_batch)) return;
    const bool independent = definition.rows == Rows::kIndependent ||
                             (definition.rows == Rows::kByArguments && definition.rows_independent(layer));
    if (!independent || !std::all_of(outputs.begin(), outputs.end(), is_for_all))
      not_batchable("layer '" + layer.function.name + "' (" + layer.function.type +
                    ") mixes the rows of a batch");
  }

  Status add_outputs() {
    for (const OutputVariable& output : executor_.outputs) {
      const Function reader{.name = "output", .type = "output"};
      ASSIGN_OR_RETURN(const Value value, value_of(reader, output.source));
      const std::string graph_name = "output" + std::to_string(result_.signature.outputs.size());
      graph_.output(value, graph_name);
      if (!value.batch) not_batchable("output '" + output.variable + "' has no batch axis");
      result_.signature.outputs.push_back({.name = output.data_name,
                                           .variable = output.variable,
                                           .graph_name = graph_name,
                                           .type = value.type,
                                           .shape = value.shape,
                                           .has_batch_axis = value.batch});
    }
    return Ok{};
  }

  const ModelFile& file_;
  const Executor& executor_;
  GraphBuilder graph_;
  std::unordered_map<std::string, Value> values_;
  std::set<std::string> types_on_cpu_;  ///< layers that are operators of ours
  TranslatedExecutor result_;
};

}  // namespace

Result<TranslatedExecutor> translate_executor(const ModelFile& file, const Executor& executor) {
  return Translation(file, executor).run();
}

}  // namespace noren::worker
