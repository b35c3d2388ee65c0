// Reads the few facts that the server decides by out of an import's description.
#include <algorithm>

#include <boost/json.hpp>

#include "base/limits.h"
#include "base/result_limits.h"
#include "server/control_plane/jobs/jobs.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kReasonsCount = 16;

const json::value* member(const json::value& value, std::string_view name) {
  return value.is_object() ? value.get_object().if_contains(name) : nullptr;
}

Result<json::value> parse(const std::string& description) {
  if (description.size() > limits::kDescriptionBytes) return internal("description: too large");
  json::parse_options options;
  options.max_depth = limits::kRequestJsonDepth;
  json::error_code failure;
  json::value root = json::parse(description, failure, {}, options);
  if (failure) return internal("description: " + failure.message());
  return root;
}

Result<std::string> text_of(const json::value& object, std::string_view name) {
  const json::value* text = member(object, name);
  if (text == nullptr || !text->is_string()) return internal("description: no " + std::string(name));
  return std::string(text->get_string()).substr(0, limits::kNameBytes);
}

Result<ModelPort> port_of(const json::value& value) {
  ModelPort port;
  ASSIGN_OR_RETURN(port.name, text_of(value, "name"));
  ASSIGN_OR_RETURN(port.type, text_of(value, "type"));
  const json::value* shape = member(value, "shape");
  if (shape == nullptr || !shape->is_array() || shape->get_array().size() > limits::kRankCount)
    return internal("description: no shape");
  for (const json::value& dimension : shape->get_array()) {
    json::error_code failure;
    port.shape.push_back(dimension.to_number<std::int64_t>(failure));
    if (failure) return internal("description: bad shape");
  }
  return port;
}

Result<std::vector<ModelPort>> ports_of(const json::value& executor, std::string_view name) {
  const json::value* list = member(executor, name);
  if (list == nullptr || !list->is_array()) return internal("description: no " + std::string(name));
  std::vector<ModelPort> ports;
  for (const json::value& each : list->get_array()) {
    ASSIGN_OR_RETURN(ModelPort port, port_of(each));
    ports.push_back(std::move(port));
  }
  return ports;
}

}  // namespace

Result<ModelInterface> read_interface(const std::string& description) {
  ASSIGN_OR_RETURN(const json::value root, parse(description));
  const json::value* executors = member(root, "executors");
  if (executors == nullptr || !executors->is_array()) return internal("description: no executors");
  ModelInterface model;
  for (const json::value& each : executors->get_array()) {
    ExecutorInterface executor;
    ASSIGN_OR_RETURN(executor.name, text_of(each, "name"));
    ASSIGN_OR_RETURN(executor.inputs, ports_of(each, "inputs"));
    ASSIGN_OR_RETURN(executor.outputs, ports_of(each, "outputs"));
    model.executors.push_back(std::move(executor));
  }
  return model;
}

Result<DescriptionFacts> read_description(const std::string& description) {
  ASSIGN_OR_RETURN(const json::value root, parse(description));
  const json::value* statistics = member(root, "statistics");
  const json::value* cost = statistics != nullptr ? member(*statistics, "CostParameter") : nullptr;
  DescriptionFacts facts;
  json::error_code failure;
  if (cost == nullptr) return internal("description: no CostParameter");
  facts.cost_parameter = cost->to_number<std::int64_t>(failure);
  if (failure || facts.cost_parameter < 0) return internal("description: bad CostParameter");
  if (const json::value* memory = member(root, "memory_bytes"); memory != nullptr)
    facts.memory_bytes = memory->to_number<std::int64_t>(failure);
  if (failure || facts.memory_bytes < 0) return internal("description: bad memory_bytes");
  facts.memory_bytes = std::min(facts.memory_bytes, limits::kModelMemoryBytes);
  const json::value* per_request = member(root, "per_request");
  const json::value* reasons = per_request != nullptr ? member(*per_request, "reasons") : nullptr;
  if (reasons == nullptr || !reasons->is_array()) return internal("description: no reasons");
  for (const json::value& reason : reasons->get_array()) {
    if (!reason.is_string() || facts.reasons.size() == kReasonsCount)
      return internal("description: bad reasons");
    std::string text(reason.get_string());
    if (!text.starts_with("CostParameter ")) facts.reasons.push_back(text.substr(0, limits::kDetailBytes));
  }
  return facts;
}

}  // namespace noren::server
