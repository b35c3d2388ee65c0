#include "worker/translate/elementwise.h"

#include "base/check.h"

namespace noren::worker {

Status require_broadcastable(const Layer& layer, std::size_t a, std::size_t b) {
  const Shape& left = layer.input(a).shape;
  const Shape& right = layer.input(b).shape;
  bool fits = left.size() == right.size();
  for (std::size_t i = 0; fits && i < left.size(); ++i)
    fits = left[i] == right[i] || left[i] == 1 || right[i] == 1;
  if (fits) return Ok{};
  return layer.refuse("its inputs are " + to_string(left) + " and " + to_string(right) +
                      ": they need equally many axes, each alike or 1");
}

Status require_same_shapes(const Layer& layer) {
  for (const Value& input : layer.inputs)
    if (input.shape != layer.input(0).shape)
      return layer.refuse("its inputs must have one shape, they are " + to_string(layer.input(0).shape) +
                          " and " + to_string(input.shape));
  return Ok{};
}

Value choose(GraphBuilder& graph, const Value& condition, const Value& a, const Value& b) {
  const auto values = broadcast_shapes(a.shape, b.shape);
  CHECK(values.ok());
  const auto shape = broadcast_shapes(condition.shape, *values);
  CHECK(shape.ok());
  return graph.node("Where", {condition, a, b}, *shape, {}, a.type);
}

}  // namespace noren::worker
