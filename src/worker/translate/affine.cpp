#include <numeric>

#include "worker/translate/families.h"

namespace noren::worker {
namespace {

std::int64_t product(const Shape& shape, std::int64_t begin, std::int64_t end) {
  return std::accumulate(shape.begin() + begin, shape.begin() + end, std::int64_t{1}, std::multiplies<>());
}

/// y = x W + b: x flattened to (axes before base_axis, the rest), W to (rows, outputs).
LayerOutputs affine(Layer& layer) {
  const Value& x = layer.input(0);
  const Value& weight = layer.input(1);
  ASSIGN_OR_RETURN(const std::int64_t base_axis, resolve_axis(layer, layer.arguments().integer("base_axis"), x.rank() + 1));
  const std::int64_t rows = product(x.shape, 0, base_axis);
  const std::int64_t columns = product(x.shape, base_axis, x.rank());
  if (weight.rank() < 2 || weight.shape[0] != columns)
    return layer.refuse("the input has " + std::to_string(columns) + " numbers a row, the weight is " +
                        to_string(weight.shape));
  const std::int64_t outputs = product(weight.shape, 1, weight.rank());
  Shape shape(x.shape.begin(), x.shape.begin() + base_axis);
  shape.insert(shape.end(), weight.shape.begin() + 1, weight.shape.end());

  GraphBuilder& graph = layer.graph;
  std::vector<Value> operands = {graph.reshape(x, {rows, columns}), graph.reshape(weight, {columns, outputs})};
  if (layer.has_input(2)) {
    if (layer.input(2).count() != outputs)
      return layer.refuse("the bias is " + to_string(layer.input(2).shape) + ", " + std::to_string(outputs) +
                          " numbers are needed");
    operands.push_back(graph.reshape(layer.input(2), {outputs}));
  }
  return std::vector{graph.reshape(graph.node("Gemm", operands, {rows, outputs}), shape)};
}

bool base_axis_is_behind_batch(const Layer& layer) { return layer.arguments().integer("base_axis") != 0; }

constexpr LayerDefinition kLayers[] = {
    {"Affine", 2, 3, Rows::kByArguments, affine, Randomness::kNone, base_axis_is_behind_batch},
};

}  // namespace

LayerFamily affine_layers() { return kLayers; }

}  // namespace noren::worker
