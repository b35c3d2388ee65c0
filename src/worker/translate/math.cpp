// Mathematical functions: elementwise ones, series of numbers, and the product of matrices.
#include <cmath>

#include "base/limits.h"
#include "worker/translate/array.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

LayerOutputs identity(Layer& layer) { return std::vector{layer.input(0)}; }

/// Half away from zero: sign(x) * floor(|x| + c). c is the largest float32 below 0.5, so that nothing below a
/// half is lifted to the next number and every half is.
LayerOutputs round_half_away(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value lifted = graph.add(graph.unary("Abs", x), graph.scalar(std::nextafter(0.5F, 0.0F)));
  return std::vector{graph.multiply(graph.unary("Sign", x), graph.unary("Floor", lifted))};
}

/// ONNX Runtime's Erf makes a number of a nan.
LayerOutputs erf(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  return std::vector{choose(graph, compare(graph, "Equal", x, x), graph.unary("Erf", x), x)};
}

/// The value `val` in a given shape. A large one is spread when the model runs.
LayerOutputs constant(Layer& layer) {
  constexpr std::int64_t kStoredElementsCount = 4096;
  const Shape& shape = layer.arguments().shape("shape");
  const auto count = checked_element_count(shape);
  if (!count.ok()) return layer.refuse(count.error().text);
  const auto value = static_cast<float>(layer.arguments().real("val"));
  GraphBuilder& graph = layer.graph;
  if (*count > kStoredElementsCount) return std::vector{graph.expand(graph.scalar(value), shape)};
  return std::vector{graph.floats(shape, std::vector<float>(static_cast<std::size_t>(*count), value))};
}

/// How many of start, start + step, … come before stop, each made from the one before it in float32. More
/// than a tensor may hold: one more than that.
std::int64_t arange_count(float start, float stop, float step) {
  constexpr std::int64_t kTooMany = limits::kTensorElementsCount + 1;
  // Rounding makes a step at most twice as long.
  if ((static_cast<double>(stop) - start) / step > 2.0 * static_cast<double>(kTooMany)) return kTooMany;
  std::int64_t count = 0;
  for (float value = start; step < 0 ? value > stop : value < stop; value += step)
    if (++count == kTooMany || (value + step == value && std::isfinite(value))) return kTooMany;
  return count;
}

LayerOutputs arange(Layer& layer) {
  const auto start = static_cast<float>(layer.arguments().real("start"));
  const auto stop = static_cast<float>(layer.arguments().real("stop"));
  const auto step = static_cast<float>(layer.arguments().real("step"));
  if (step == 0.0F) return layer.refuse("step must not be 0");
  const std::int64_t count = arange_count(start, stop, step);
  TRY(require_size(layer, {count}));
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(count));
  for (float value = start; static_cast<std::int64_t>(values.size()) < count; value += step)
    values.push_back(value);
  return std::vector{layer.graph.floats({count}, std::move(values))};
}

/// `num` numbers from start to stop, both included.
LayerOutputs linspace(Layer& layer) {
  const auto start = static_cast<float>(layer.arguments().real("start"));
  const auto stop = static_cast<float>(layer.arguments().real("stop"));
  const std::int64_t count = layer.arguments().integer("num");
  if (count < 0 || count > limits::kTensorElementsCount) return layer.refuse("num is out of range");
  const double step = count > 1 ? static_cast<double>(stop - start) / static_cast<double>(count - 1) : 0.0;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(start + step * static_cast<double>(i));
  return std::vector{layer.graph.floats({count}, std::move(values))};
}

Value last_two_swapped(GraphBuilder& graph, const Value& x) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  std::swap(axes.end()[-1], axes.end()[-2]);
  return graph.transpose(x, axes);
}

/// Products of the matrices in the last two axes; the axes before broadcast.
LayerOutputs batch_matmul(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  constexpr std::int64_t kLeastAxes = 3;
  for (const Value& input : layer.inputs)
    if (input.rank() < kLeastAxes) return layer.refuse("its inputs need 3 axes or more");
  if (layer.input(0).rank() != layer.input(1).rank())
    return layer.refuse("its inputs need equally many axes");
  const bool swap_a = layer.arguments().boolean("transpose_a"),
             swap_b = layer.arguments().boolean("transpose_b");
  const Value a = swap_a ? last_two_swapped(graph, layer.input(0)) : layer.input(0);
  const Value b = swap_b ? last_two_swapped(graph, layer.input(1)) : layer.input(1);
  const auto leading = [](const Value& x) { return Shape(x.shape.begin(), x.shape.end() - 2); };
  auto shape = broadcast_shapes(leading(a), leading(b));
  if (!shape.ok() || a.shape.back() != b.shape.end()[-2])
    return layer.refuse("matrices " + to_string(a.shape) + " and " + to_string(b.shape) +
                        " can't be multiplied");
  shape->push_back(a.shape.end()[-2]);
  shape->push_back(b.shape.back());
  return std::vector{graph.node("MatMul", {a, b}, *shape)};
}

constexpr Rows kRows = Rows::kIndependent;
constexpr LayerDefinition kLayers[] = {
    {"Constant", 0, 0, kRows, constant},     {"Arange", 0, 0, kRows, arange},
    {"Linspace", 0, 0, kRows, linspace},     {"Abs", 1, 1, kRows, unary<"Abs">},
    {"Exp", 1, 1, kRows, unary<"Exp">},      {"Log", 1, 1, kRows, unary<"Log">},
    {"Identity", 1, 1, kRows, identity},     {"BatchMatmul", 2, 2, kRows, batch_matmul},
    {"Round", 1, 1, kRows, round_half_away}, {"Ceil", 1, 1, kRows, unary<"Ceil">},
    {"Floor", 1, 1, kRows, unary<"Floor">},  {"Sin", 1, 1, kRows, unary<"Sin">},
    {"Cos", 1, 1, kRows, unary<"Cos">},      {"Tan", 1, 1, kRows, unary<"Tan">},
    {"Sinh", 1, 1, kRows, unary<"Sinh">},    {"Cosh", 1, 1, kRows, unary<"Cosh">},
    {"ASin", 1, 1, kRows, unary<"Asin">},    {"ACos", 1, 1, kRows, unary<"Acos">},
    {"ATan", 1, 1, kRows, unary<"Atan">},    {"ATan2", 2, 2, kRows, binary<"noren::ArcTangent2">},
    {"ASinh", 1, 1, kRows, unary<"Asinh">},  {"ACosh", 1, 1, kRows, unary<"Acosh">},
    {"ATanh", 1, 1, kRows, unary<"Atanh">},  {"Erf", 1, 1, kRows, erf},
};

}  // namespace

LayerFamily math_layers() { return kLayers; }

}  // namespace noren::worker
