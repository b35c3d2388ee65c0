#include "worker/translate/families.h"

namespace noren::worker {
namespace {

LayerOutputs sigmoid(Layer& layer) { return std::vector{layer.graph.unary("Sigmoid", layer.input(0))}; }
LayerOutputs tanh(Layer& layer) { return std::vector{layer.graph.unary("Tanh", layer.input(0))}; }

/// Softmax over one axis.
LayerOutputs softmax(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  return std::vector{layer.graph.unary("Softmax", x, {{"axis", axis}})};
}

bool axis_is_behind_batch(const Layer& layer) {
  const std::int64_t axis = layer.arguments().integer("axis");
  return axis != 0 && axis != -layer.input(0).rank();
}

constexpr LayerDefinition kLayers[] = {
    {"Sigmoid", 1, 1, Rows::kIndependent, sigmoid},
    {"Tanh", 1, 1, Rows::kIndependent, tanh},
    {"Softmax", 1, 1, Rows::kByArguments, softmax, Randomness::kNone, axis_is_behind_batch},
};

}  // namespace

LayerFamily activation_layers() { return kLayers; }

}  // namespace noren::worker
