// Comparisons, logic, and choices by them. True is 1, false is 0; everything but 0 counts as true.
#include "worker/translate/elementwise.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

enum class Negate : std::uint8_t { kNo, kYes };

Value finished(GraphBuilder& graph, const Value& truth_value, Negate negate) {
  if (negate == Negate::kNo) return number(graph, truth_value);
  return number(graph, graph.unary("Not", truth_value, {}, ElementType::kBool));
}

template <OperatorName op, Negate negate = Negate::kNo>
LayerOutputs comparison(Layer& layer) {
  TRY(require_broadcastable(layer, 0, 1));
  GraphBuilder& graph = layer.graph;
  return std::vector{finished(graph, compare(graph, op, layer.input(0), layer.input(1)), negate)};
}

template <OperatorName op, Negate negate = Negate::kNo>
LayerOutputs comparison_with_scalar(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  return std::vector{
      finished(graph, compare(graph, op, layer.input(0), scalar_argument(layer, "val")), negate)};
}

template <OperatorName op>
LayerOutputs logic(Layer& layer) {
  TRY(require_broadcastable(layer, 0, 1));
  GraphBuilder& graph = layer.graph;
  return std::vector{
      number(graph, compare(graph, op, truth(graph, layer.input(0)), truth(graph, layer.input(1))))};
}

template <OperatorName op>
LayerOutputs logic_with_scalar(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  Tensor tensor(ElementType::kBool, {});
  *tensor.data<std::uint8_t>() = layer.arguments().boolean("val") ? 1 : 0;
  const Value val = graph.constant(std::move(tensor));
  return std::vector{number(graph, compare(graph, op, truth(graph, layer.input(0)), val))};
}

LayerOutputs logical_not(Layer& layer) {
  return std::vector{finished(layer.graph, truth(layer.graph, layer.input(0)), Negate::kYes)};
}

/// 1 where the input is nan (or infinite).
template <OperatorName op>
LayerOutputs is(Layer& layer) {
  return std::vector{number(layer.graph, layer.graph.unary(op, layer.input(0), {}, ElementType::kBool))};
}

/// val where the input is nan (or infinite).
template <OperatorName op>
LayerOutputs reset(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  return std::vector{
      choose(graph, graph.unary(op, x, {}, ElementType::kBool), scalar_argument(layer, "val"), x)};
}

/// The sign, and alpha for 0 and nan.
LayerOutputs sign(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value zero = graph.scalar(0.0F);
  const Value rest =
      choose(graph, compare(graph, "Less", x, zero), graph.scalar(-1.0F), scalar_argument(layer, "alpha"));
  return std::vector{choose(graph, compare(graph, "Greater", x, zero), graph.scalar(1.0F), rest)};
}

/// "a op b ? a : b". (ONNX's Min and Max give nan where either is nan; here it is b, as in the reference.)
template <OperatorName op>
LayerOutputs pick(Layer& layer) {
  TRY(require_broadcastable(layer, 0, 1));
  const Value& a = layer.input(0);
  const Value& b = layer.input(1);
  return std::vector{choose(layer.graph, compare(layer.graph, op, a, b), a, b)};
}

template <OperatorName op>
LayerOutputs pick_with_scalar(Layer& layer) {
  const Value& x = layer.input(0);
  const Value val = scalar_argument(layer, "val");
  return std::vector{choose(layer.graph, compare(layer.graph, op, x, val), x, val)};
}

/// The condition has the first axes of the two values.
LayerOutputs where(Layer& layer) {
  const Value& condition = layer.input(0);
  const Value& yes = layer.input(1);
  const Value& no = layer.input(2);
  if (yes.shape != no.shape)
    return layer.refuse("its two values are " + to_string(yes.shape) + " and " + to_string(no.shape) +
                        ", they must be alike");
  Shape shape = condition.shape;
  const bool fits =
      shape.size() <= yes.shape.size() && std::equal(shape.begin(), shape.end(), yes.shape.begin());
  if (!fits)
    return layer.refuse("its condition is " + to_string(shape) + ", which are not the first axes of " +
                        to_string(yes.shape));
  shape.resize(yes.shape.size(), 1);
  return std::vector{choose(layer.graph, truth(layer.graph, layer.graph.reshape(condition, shape)), yes, no)};
}

/// For each value its place in a sorted row; the left or the right one among equals.
LayerOutputs search_sorted(Layer& layer) {
  const Value& sequence = layer.input(0);
  const Value& values = layer.input(1);
  const bool fits = sequence.rank() == values.rank() && sequence.rank() > 0 &&
                    std::equal(values.shape.begin(), values.shape.end() - 1, sequence.shape.begin());
  if (!fits)
    return layer.refuse("its sequence is " + to_string(sequence.shape) + ", its values " +
                        to_string(values.shape) + ": all axes but the last must be alike");
  return std::vector{layer.graph.node("noren::SearchSorted", {sequence, values}, values.shape,
                                      {{"right", layer.arguments().boolean("right") ? 1 : 0}})};
}

bool has_axis_behind_batch(const Layer& layer) { return layer.input(0).rank() > 1; }

constexpr Rows kRows = Rows::kIndependent;
constexpr LayerDefinition kLayers[] = {
    {"Sign", 1, 1, kRows, sign},
    {"Minimum2", 2, 2, kRows, pick<"Less">},
    {"Maximum2", 2, 2, kRows, pick<"Greater">},
    {"MinimumScalar", 1, 1, kRows, pick_with_scalar<"Less">},
    {"MaximumScalar", 1, 1, kRows, pick_with_scalar<"Greater">},
    {"LogicalAnd", 2, 2, kRows, logic<"And">},
    {"LogicalOr", 2, 2, kRows, logic<"Or">},
    {"LogicalXor", 2, 2, kRows, logic<"Xor">},
    {"LogicalAndScalar", 1, 1, kRows, logic_with_scalar<"And">},
    {"LogicalOrScalar", 1, 1, kRows, logic_with_scalar<"Or">},
    {"LogicalXorScalar", 1, 1, kRows, logic_with_scalar<"Xor">},
    {"LogicalNot", 1, 1, kRows, logical_not},
    {"Equal", 2, 2, kRows, comparison<"Equal">},
    {"NotEqual", 2, 2, kRows, comparison<"Equal", Negate::kYes>},
    {"Greater", 2, 2, kRows, comparison<"Greater">},
    {"GreaterEqual", 2, 2, kRows, comparison<"GreaterOrEqual">},
    {"Less", 2, 2, kRows, comparison<"Less">},
    {"LessEqual", 2, 2, kRows, comparison<"LessOrEqual">},
    {"EqualScalar", 1, 1, kRows, comparison_with_scalar<"Equal">},
    {"NotEqualScalar", 1, 1, kRows, comparison_with_scalar<"Equal", Negate::kYes>},
    {"GreaterScalar", 1, 1, kRows, comparison_with_scalar<"Greater">},
    {"GreaterEqualScalar", 1, 1, kRows, comparison_with_scalar<"GreaterOrEqual">},
    {"LessScalar", 1, 1, kRows, comparison_with_scalar<"Less">},
    {"LessEqualScalar", 1, 1, kRows, comparison_with_scalar<"LessOrEqual">},
    {"IsNaN", 1, 1, kRows, is<"IsNaN">},
    {"IsInf", 1, 1, kRows, is<"IsInf">},
    {"ResetNaN", 1, 1, kRows, reset<"IsNaN">},
    {"ResetInf", 1, 1, kRows, reset<"IsInf">},
    {"Where", 3, 3, kRows, where},
    {"SearchSorted", 2, 2, Rows::kByArguments, search_sorted, Randomness::kNone, has_axis_behind_batch},
};

}  // namespace

LayerFamily logical_layers() { return kLayers; }

}  // namespace noren::worker
