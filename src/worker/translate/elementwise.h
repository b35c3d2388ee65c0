// worker/translate/elementwise.h - Building blocks of elementwise layers: one ONNX operator, or a choice
// between two values. Private to this folder. A layer that is one operator is its name in a table: {"Sin", …,
// unary<"Sin">}.
#pragma once

#include <algorithm>
#include <cstddef>

#include "worker/translate/layer.h"

namespace noren::worker {

/// An operator's name as a template argument.
template <std::size_t N>
struct OperatorName {
  char text[N];
  constexpr OperatorName(const char (&name)[N]) {
    std::copy_n(name, N, text);
  }  // NOLINT: reads as its literal
  constexpr operator std::string_view() const { return {text, N - 1}; }
};

/// The reference broadcasts axes of length 1, and only between inputs with equally many axes.
Status require_broadcastable(const Layer& layer, std::size_t a, std::size_t b);
/// Inputs 0 to the last have one shape.
Status require_same_shapes(const Layer& layer);

/// An argument that the reference computes with as float32.
inline Value scalar_argument(const Layer& layer, std::string_view name) {
  return layer.graph.scalar(static_cast<float>(layer.arguments().real(name)));
}
/// Comparisons and logic give bool in ONNX; in the format they are 0 and 1.
inline Value compare(GraphBuilder& graph, std::string_view op, const Value& a, const Value& b) {
  return graph.elementwise(op, a, b, ElementType::kBool);
}
inline Value number(GraphBuilder& graph, const Value& truth) {
  return graph.cast(truth, ElementType::kFloat32);
}
/// Everything but 0 is true, nan too.
inline Value truth(GraphBuilder& graph, const Value& x) { return graph.cast(x, ElementType::kBool); }
/// condition ? a : b, with broadcasting.
Value choose(GraphBuilder& graph, const Value& condition, const Value& a, const Value& b);

template <OperatorName op>
LayerOutputs unary(Layer& layer) {
  return std::vector{layer.graph.unary(op, layer.input(0))};
}

template <OperatorName op>
LayerOutputs binary(Layer& layer) {
  TRY(require_broadcastable(layer, 0, 1));
  return std::vector{layer.graph.elementwise(op, layer.input(0), layer.input(1))};
}

/// x op val
template <OperatorName op>
LayerOutputs with_scalar(Layer& layer) {
  return std::vector{layer.graph.elementwise(op, layer.input(0), scalar_argument(layer, "val"))};
}

/// val op x
template <OperatorName op>
LayerOutputs scalar_with(Layer& layer) {
  return std::vector{layer.graph.elementwise(op, scalar_argument(layer, "val"), layer.input(0))};
}

/// The argument "axis" leaves the rows of a batch alone.
inline bool axis_is_behind_batch(const Layer& layer) {
  const std::int64_t axis = layer.arguments().integer("axis");
  return axis != 0 && axis != -layer.input(0).rank();
}

}  // namespace noren::worker
