#include "worker/model_file/nnp/design_of.h"

#include "worker/model_file/nnp/loops.h"

namespace noren::worker::nnp {
namespace {

const RawNetwork& drawn_network(const RawModel& model, const RawNetwork& network) {
  static constexpr std::string_view kEnding = "Runtime";
  const std::string_view name = network.name;
  if (!name.ends_with(kEnding) || name.size() == kEnding.size()) return network;
  for (const RawNetwork& other : model.networks) {
    if (other.name == name.substr(0, name.size() - kEnding.size())) return other;
  }
  return network;
}

Design::Variable variable_of(const RawVariable& raw, std::int64_t batch_size) {
  Design::Variable variable{raw.shape, raw.is_parameter, !raw.is_parameter && !raw.initializer_type.empty()};
  for (std::int64_t& dimension : variable.shape) {
    if (dimension == -1) dimension = 1;
  }
  const bool begins_with_batch = !variable.shape.empty() && batch_size > 1 && variable.shape[0] == batch_size;
  if (begins_with_batch && !raw.is_parameter) variable.shape[0] = 1;
  return variable;
}

}  // namespace

Design design_of(const RawModel& model, const RawNetwork& network, std::int64_t batch_size) {
  const RawNetwork& drawn = drawn_network(model, network);
  Design design;
  design.name = drawn.name;
  for (const RawVariable& raw : drawn.variables) design.variables[raw.name] = variable_of(raw, batch_size);
  const std::map<std::string, std::int64_t, std::less<>> times = loop_times_of(drawn);
  for (const RawFunction& raw : drawn.functions) {
    Design::Layer layer{{raw.name, raw.type, raw.inputs, raw.outputs, raw.arguments}, 1};
    for (const std::string& loop : raw.repeat_ids) {
      const auto found = times.find(loop);
      if (found != times.end()) layer.turns_count *= static_cast<double>(found->second);
    }
    design.layers.push_back(std::move(layer));
  }
  return design;
}

}  // namespace noren::worker::nnp
