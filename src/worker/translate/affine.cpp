#include "worker/translate/convolution.h"
#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {

Result<Value> affine_transform(Layer& layer, const Value& x, const Value& weight, const Value& bias) {
  ASSIGN_OR_RETURN(const std::int64_t base_axis,
                   resolve_axis(layer, layer.arguments().integer("base_axis"), x.rank()));
  const std::int64_t rows = product(x.shape, 0, base_axis);
  const std::int64_t columns = product(x.shape, base_axis, x.rank());
  if (weight.rank() < 2 || weight.shape[0] != columns)
    return layer.refuse("the input has " + std::to_string(columns) + " numbers a row, the weight is " +
                        to_string(weight.shape));
  const std::int64_t outputs = product(weight.shape, 1, weight.rank());
  Shape shape(x.shape.begin(), x.shape.begin() + base_axis);
  shape.insert(shape.end(), weight.shape.begin() + 1, weight.shape.end());
  TRY(check_size(layer, shape));

  GraphBuilder& graph = layer.graph;
  const RowAxis row_axis = rows_before(x, base_axis);
  std::vector<Value> operands = {reshape_rows(graph, x, {rows, columns}, row_axis),
                                 graph.reshape(weight, {columns, outputs})};
  if (!bias.name.empty()) {
    if (bias.count() != outputs)
      return layer.refuse("the bias is " + to_string(bias.shape) + ", " + std::to_string(outputs) +
                          " numbers are needed");
    operands.push_back(graph.reshape(bias, {outputs}));
  }
  const Value y = graph.node("Gemm", operands, {rows, outputs});
  return reshape_rows(graph, y, shape, row_axis);
}

namespace {

LayerOutputs affine(Layer& layer) {
  ASSIGN_OR_RETURN(const Value y, affine_transform(layer, layer.input(0), layer.input(1),
                                                   layer.has_input(2) ? layer.input(2) : Value{}));
  return std::vector{y};
}

constexpr LayerDefinition kLayers[] = {
    {"Affine", 2, 3, Rows::kByArguments, affine, Randomness::kNone, rows_stand_before_base_axis},
};

}  // namespace

LayerFamily affine_layers() { return kLayers; }

}  // namespace noren::worker
