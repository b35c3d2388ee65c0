#include "worker/import/description.h"

#include <boost/json.hpp>

#include "worker/import/port_description.h"

namespace noren::worker {
namespace {

namespace json = boost::json;

json::array shape_json(const Shape& shape) { return json::array(shape.begin(), shape.end()); }

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object port_json(const std::string& name, const std::string& variable, ElementType type,
                       const Shape& shape) {
  return {{"name", name},
          {"variable", variable},
          {"type", element_type_name(type)},
          {"shape", shape_json(shape)}};
}

json::object input_json(const InputSignature& input, const Description& description) {
  json::object port = port_json(input.name, input.variable, input.type, input.shape);
  port["image_normalization"] = input.image.normalize;
  const std::string picture = picture_text(input), sound = sound_text(input);
  if (!picture.empty()) {
    port["picture"] = picture;
    port["image"] = picture_json(input);
  }
  if (!sound.empty()) port["sound"] = sound;
  if (const auto source = description.rule_sources.find(input.name); source != description.rule_sources.end())
    port["rule_from"] = source->second;
  return port;
}

json::object output_json(const OutputSignature& output, const Description& description) {
  json::object port = port_json(output.name, output.variable, output.type, output.shape);
  if (const auto container = description.containers.find(output.name);
      container != description.containers.end())
    port["type"] = container->second;
  if (const auto labels = description.labels.find(output.name); labels != description.labels.end())
    port["labels"] = texts(labels->second);
  return port;
}

json::object executor_json(const Description& description, std::size_t index) {
  const ExecutorSignature& executor = description.signature.executors[index];
  const std::string& network = description.network_of_executor.at(index);
  json::array inputs, outputs;
  for (const InputSignature& input : executor.inputs) inputs.push_back(input_json(input, description));
  for (const OutputSignature& output : executor.outputs) outputs.push_back(output_json(output, description));
  json::object result = {{"name", executor.name},
                         {"network", network},
                         {"inputs", std::move(inputs)},
                         {"outputs", std::move(outputs)},
                         {"evaluations", executor.evaluations_count},
                         {"batchable", executor.batchable},
                         {"random", executor.random}};
  if (const std::string& reason = description.not_batchable_reasons.at(index); !reason.empty())
    result["not_batchable_reason"] = reason;
  return result;
}

/// Counts are whole numbers; JSON shows them so.
json::object cost_json(const Cost& cost) {
  return {{"Output", whole_count(cost.output)},
          {"CostParameter", whole_count(cost.parameter)},
          {"CostAdd", whole_count(cost.add)},
          {"CostMultiply", whole_count(cost.multiply)},
          {"CostMultiplyAdd", whole_count(cost.multiply_add)},
          {"CostDivision", whole_count(cost.division)},
          {"CostExp", whole_count(cost.exp)},
          {"CostIf", whole_count(cost.branch)}};
}

}  // namespace

std::string to_json(const Description& description) {
  json::array networks, executors, layers;
  for (const NetworkOutline& network : description.networks)
    networks.push_back({{"name", network.name},
                        {"batch_size", network.batch_size},
                        {"functions", network.functions_count},
                        {"variables", network.variables_count}});
  bool batchable = true, random = false;
  for (std::size_t i = 0; i < description.signature.executors.size(); ++i) {
    const ExecutorSignature& executor = description.signature.executors[i];
    executors.push_back(executor_json(description, i));
    batchable = batchable && executor.batchable;
    random = random || executor.random;
  }
  json::object functions;
  for (const auto& [type, count] : description.functions_count) functions[type] = count;
  json::object result = {{"format", description.format},
                         {"networks", std::move(networks)},
                         {"executors", std::move(executors)},
                         {"functions", std::move(functions)},
                         {"parameters", description.parameters_count},
                         {"statistics", cost_json(description.statistics)},
                         {"per_request",
                          {{"eligible", description.per_request_reasons.empty()},
                           {"reasons", texts(description.per_request_reasons)}}},
                         {"memory_bytes", description.memory_bytes},
                         {"batchable", batchable},
                         {"random", random},
                         {"warnings", texts(description.warnings)}};
  for (const auto& [name, value] : description.facts) result[name] = value;
  for (const FunctionCost& layer : description.layers) {
    json::object row = {{"name", layer.function}, {"type", layer.type}};
    for (auto& item : cost_json(layer.cost)) row[item.key()] = item.value();
    layers.push_back(std::move(row));
  }
  if (!layers.empty()) result["layers"] = std::move(layers);
  return json::serialize(result);
}

}  // namespace noren::worker
