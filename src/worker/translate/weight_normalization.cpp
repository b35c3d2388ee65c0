#include <algorithm>

#include "base/limits.h"
#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

using KeepAxes = GraphBuilder::KeepAxes;

/// w * g / sqrt(sum of w^2 + eps), the sum over all axes but `dim`.
LayerOutputs weight_normalization(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& w = layer.input(0);
  const Value& g = layer.input(1);
  ASSIGN_OR_RETURN(const std::int64_t dim, resolve_axis(layer, layer.arguments().integer("dim"), w.rank()));
  const std::int64_t length = w.shape[static_cast<std::size_t>(dim)];
  if (g.shape != Shape{length})
    return layer.refuse("g is " + to_string(g.shape) + ", " + std::to_string(length) + " numbers are needed");
  std::vector<std::int64_t> summed;
  for (std::int64_t axis = 0; axis < w.rank(); ++axis)
    if (axis != dim) summed.push_back(axis);
  Shape shape(w.shape.size(), 1);
  shape[static_cast<std::size_t>(dim)] = length;
  const Value squares = graph.multiply(w, w);
  const Value sum = summed.empty() ? squares : graph.reduce("ReduceSum", squares, summed, KeepAxes::kYes);
  const auto epsilon = static_cast<float>(layer.arguments().real("eps"));
  const Value norm = graph.unary("Sqrt", graph.add(sum, graph.scalar(epsilon)));
  return std::vector{graph.multiply(w, graph.divide(graph.reshape(g, shape), norm))};
}

/// A vector of length 1: x / sqrt(sum of x^2 + eps).
Value unit_vector(GraphBuilder& graph, const Value& x, float epsilon) {
  const Value sum = graph.reduce("ReduceSum", graph.multiply(x, x), {0, 1}, KeepAxes::kYes);
  return graph.divide(x, graph.unary("Sqrt", graph.add(sum, graph.scalar(epsilon))));
}

Value matrix_product(GraphBuilder& graph, const Value& a, const Value& b) {
  return graph.node("MatMul", {a, b}, {a.shape[0], b.shape[1]});
}

/// w as the matrix (axis `dim`, all others), and back.
struct Matrix {
  Value value;
  std::vector<std::int64_t> order;
  Shape ordered_shape;
};

Matrix matrix_of(GraphBuilder& graph, const Value& w, std::int64_t dim) {
  Matrix matrix;
  const bool is_last = dim == w.rank() - 1;
  if (!is_last) matrix.order.push_back(dim);
  for (std::int64_t axis = 0; axis < w.rank(); ++axis)
    if (is_last || axis != dim) matrix.order.push_back(axis);
  const Value ordered = graph.transpose(w, matrix.order);
  matrix.ordered_shape = ordered.shape;
  const std::int64_t length = w.shape[static_cast<std::size_t>(dim)];
  const std::int64_t rest = w.count() / length;
  matrix.value = graph.reshape(ordered, is_last ? Shape{rest, length} : Shape{length, rest});
  return matrix;
}

/// w divided by its largest singular value, which `itr` rounds of the power method estimate from u. The last
/// axis is the matrix's columns; any other one its rows.
LayerOutputs spectral_norm(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& w = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t dim, resolve_axis(layer, layer.arguments().integer("dim"), w.rank()));
  const std::int64_t rounds = layer.arguments().integer("itr");
  const auto epsilon = static_cast<float>(layer.arguments().real("eps"));
  if (rounds < 1 || rounds > limits::kPowerMethodRoundsCount)
    return layer.refuse("itr " + std::to_string(rounds) + " is not between 1 and " +
                        std::to_string(limits::kPowerMethodRoundsCount));
  if (!(epsilon > 0)) return layer.refuse("eps must be greater than 0");
  const std::int64_t length = w.shape[static_cast<std::size_t>(dim)];
  if (layer.input(1).count() != length)
    return layer.refuse("u is " + to_string(layer.input(1).shape) + ", " + std::to_string(length) +
                        " numbers are needed");

  const Matrix matrix = matrix_of(graph, w, dim);
  const bool is_last = dim == w.rank() - 1;
  // u stands on the side of axis `dim`, v on the other one.
  Value u = graph.reshape(layer.input(1), is_last ? Shape{length, 1} : Shape{1, length});
  Value v;
  for (std::int64_t round = 0; round < rounds; ++round) {
    const Value new_v =
        is_last ? matrix_product(graph, matrix.value, u) : matrix_product(graph, u, matrix.value);
    v = graph.reshape(unit_vector(graph, new_v, epsilon), {new_v.shape[1], new_v.shape[0]});
    const Value new_u =
        is_last ? matrix_product(graph, v, matrix.value) : matrix_product(graph, matrix.value, v);
    u = graph.reshape(unit_vector(graph, new_u, epsilon), {new_u.shape[1], new_u.shape[0]});
  }
  const Value largest = is_last ? matrix_product(graph, matrix_product(graph, v, matrix.value), u)
                                : matrix_product(graph, u, matrix_product(graph, matrix.value, v));
  std::vector<std::int64_t> back(matrix.order.size());
  for (std::size_t i = 0; i < back.size(); ++i)
    back[static_cast<std::size_t>(matrix.order[i])] = static_cast<std::int64_t>(i);
  const Value normalized = graph.reshape(graph.divide(matrix.value, largest), matrix.ordered_shape);
  return std::vector{graph.transpose(normalized, back), layer.input(1)};
}

/// x divided by its p-norm over `axes`.
LayerOutputs norm_normalization(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const auto p = static_cast<float>(layer.arguments().real("p"));
  if (!(p >= 1)) return layer.refuse("p must be at least 1");
  ASSIGN_OR_RETURN(auto axes, resolve_axes(layer, layer.arguments().integers("axes"), x.rank()));
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  if (axes.empty()) return std::vector{graph.divide(x, graph.unary("Abs", x))};
  if (p == 1) return std::vector{graph.divide(x, graph.reduce("ReduceL1", x, axes, KeepAxes::kYes))};
  if (p == 2) return std::vector{graph.divide(x, graph.reduce("ReduceL2", x, axes, KeepAxes::kYes))};
  const Value powers = graph.elementwise("Pow", graph.unary("Abs", x), graph.scalar(p));
  const Value sum = graph.reduce("ReduceSum", powers, axes, KeepAxes::kYes);
  return std::vector{graph.divide(x, graph.elementwise("Pow", sum, graph.scalar(1 / p)))};
}

bool norm_leaves_rows(const Layer& layer) {
  const auto& axes = layer.arguments().integers("axes");
  return std::none_of(axes.begin(), axes.end(),
                      [&](std::int64_t axis) { return axis == 0 || axis == -layer.input(0).rank(); });
}

/// Layers that change gradients only.
LayerOutputs unchanged(Layer& layer) { return std::vector{layer.input(0)}; }

constexpr LayerDefinition kLayers[] = {
    {"WeightNormalization", 2, 2, Rows::kDependent, weight_normalization},
    {"SpectralNorm", 2, 2, Rows::kDependent, spectral_norm, Randomness::kNone, nullptr,
     "u is never changed: each request starts from the file's u."},
    {"NormNormalization", 1, 1, Rows::kByArguments, norm_normalization, Randomness::kNone, norm_leaves_rows},
    {"ClipGradByValue", 3, 3, Rows::kIndependent, unchanged},
    {"ClipGradByNorm", 1, 1, Rows::kIndependent, unchanged},
};

}  // namespace

LayerFamily weight_normalization_layers() { return kLayers; }

}  // namespace noren::worker
