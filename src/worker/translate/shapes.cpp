#include "worker/translate/shapes.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace noren::worker {

std::int64_t product(const Shape& shape, std::int64_t begin, std::int64_t end) {
  return std::accumulate(shape.begin() + begin, shape.begin() + end, std::int64_t{1}, std::multiplies<>());
}
std::int64_t product(const Shape& shape) {
  return product(shape, 0, static_cast<std::int64_t>(shape.size()));
}

Status check_size(const Layer& layer, const Shape& shape) {
  const auto count = checked_element_count(shape);
  if (!count.ok()) return layer.refuse(count.error().text);
  return Ok{};
}

RowAxis rows_before(const Value& x, std::int64_t axis) {
  return x.batch && axis > 0 ? RowAxis::kFree : RowAxis::kFixed;
}

Value reshape_rows(GraphBuilder& graph, const Value& x, const Shape& shape, RowAxis rows) {
  if (shape == x.shape) return x;
  if (x.constant != nullptr) return graph.reshape(x, shape);
  std::vector<std::int64_t> target(shape.begin(), shape.end());
  if (rows == RowAxis::kFree && !target.empty()) target[0] = -1;
  Value y = graph.node("Reshape", {x, graph.integers(target)}, shape, {}, x.type);
  y.batch = rows == RowAxis::kFree && !shape.empty() && shape[0] == 1;
  return y;
}

Value merge_leading(GraphBuilder& graph, const Value& x, std::int64_t axis) {
  if (axis == 1) return x;
  Shape shape = {product(x.shape, 0, axis)};
  shape.insert(shape.end(), x.shape.begin() + axis, x.shape.end());
  return reshape_rows(graph, x, shape, rows_before(x, axis));
}

Value split_leading(GraphBuilder& graph, const Value& y, const Value& like, std::int64_t axis) {
  if (axis == 1) return y;
  Shape shape(like.shape.begin(), like.shape.begin() + axis);
  shape.insert(shape.end(), y.shape.begin() + 1, y.shape.end());
  return reshape_rows(graph, y, shape, rows_before(like, axis));
}

bool others_have_no_batch(const Layer& layer) {
  return std::none_of(layer.inputs.begin() + 1, layer.inputs.end(),
                      [](const Value& value) { return value.batch; });
}

bool rows_stand_before_base_axis(const Layer& layer) {
  const std::int64_t base = layer.arguments().integer("base_axis");
  return base != 0 && base != -layer.input(0).rank() && others_have_no_batch(layer);
}

std::vector<Value> present_inputs(const Layer& layer) {
  std::vector<Value> present;
  for (const Value& value : layer.inputs)
    if (!value.name.empty()) present.push_back(value);
  return present;
}

}  // namespace noren::worker
