// Reductions over some axes, and running sums and products along one.
#include <algorithm>

#include "worker/translate/elementwise.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

constexpr float kExtremeStart = 1.0e8F;  // the reference's maximum starts at -1e8, its minimum at 1e8

using KeepAxes = GraphBuilder::KeepAxes;

struct Reduction {
  std::vector<std::int64_t> axes;  ///< sorted, none twice
  KeepAxes keep = KeepAxes::kNo;
};

Result<Reduction> reduction_of(const Layer& layer) {
  Reduction reduction;
  ASSIGN_OR_RETURN(reduction.axes,
                   resolve_axes(layer, layer.arguments().integers("axes"), layer.input(0).rank()));
  std::sort(reduction.axes.begin(), reduction.axes.end());
  if (std::adjacent_find(reduction.axes.begin(), reduction.axes.end()) != reduction.axes.end())
    return layer.refuse("an axis is listed twice");
  reduction.keep = layer.arguments().boolean("keep_dims") ? KeepAxes::kYes : KeepAxes::kNo;
  return reduction;
}

template <OperatorName op>
LayerOutputs reduce(Layer& layer) {
  ASSIGN_OR_RETURN(const Reduction reduction, reduction_of(layer));
  return std::vector{layer.graph.reduce(op, layer.input(0), reduction.axes, reduction.keep)};
}

template <OperatorName op>
LayerOutputs reduce_all(Layer& layer) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < layer.input(0).rank(); ++axis) axes.push_back(axis);
  return std::vector{layer.graph.reduce(op, layer.input(0), axes, KeepAxes::kNo)};
}

/// (sum |x|^p)^(1/p)
LayerOutputs norm(Layer& layer) {
  ASSIGN_OR_RETURN(const Reduction reduction, reduction_of(layer));
  const auto p = static_cast<float>(layer.arguments().real("p"));
  if (!(p >= 1.0F)) return layer.refuse("p must be 1 or more");
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const auto reduced = [&](std::string_view op, const Value& value) {
    return std::vector{graph.reduce(op, value, reduction.axes, reduction.keep)};
  };
  if (p == 1.0F) return reduced("ReduceL1", x);
  if (p == 2.0F) return reduced("ReduceL2", x);
  const Value powers = graph.elementwise("Pow", graph.unary("Abs", x), graph.scalar(p));
  return std::vector{graph.elementwise("Pow", reduced("ReduceSum", powers).front(), graph.scalar(1.0F / p))};
}

/// The place of the first largest (or smallest) value, counted over the reduced axes in C order.
Value place_of(GraphBuilder& graph, std::string_view op, const Value& x, const Reduction& reduction) {
  std::vector<std::int64_t> order;
  Shape kept, result;
  std::int64_t reduced_count = 1;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t length = x.shape[static_cast<std::size_t>(axis)];
    const bool reduced = std::binary_search(reduction.axes.begin(), reduction.axes.end(), axis);
    if (reduced) reduced_count *= length;
    if (!reduced) order.push_back(axis);
    if (!reduced) kept.push_back(length);
    if (!reduced || reduction.keep == KeepAxes::kYes) result.push_back(reduced ? 1 : length);
  }
  order.insert(order.end(), reduction.axes.begin(), reduction.axes.end());
  Shape rows = kept;
  rows.push_back(reduced_count);
  const Value flat = graph.reshape(graph.transpose(x, order), rows);
  const Value place = graph.node(op, {flat}, kept, {{"axis", -1}, {"keepdims", 0}}, ElementType::kInt64);
  return graph.reshape(number(graph, place), result);
}

enum class Extreme : std::uint8_t { kLargest, kSmallest };

/// The largest value above -1e8 (the smallest below 1e8), which a nan never is, and its place.
template <Extreme extreme>
LayerOutputs reduce_extreme(Layer& layer) {
  ASSIGN_OR_RETURN(const Reduction reduction, reduction_of(layer));
  const bool largest = extreme == Extreme::kLargest;
  GraphBuilder& graph = layer.graph;
  const Value start = graph.scalar(largest ? -kExtremeStart : kExtremeStart);
  const Value better = compare(graph, largest ? "Greater" : "Less", layer.input(0), start);
  const Value x = choose(graph, better, layer.input(0), start);
  const bool only_index = layer.arguments().boolean("only_index");
  std::vector<Value> outputs;
  if (!only_index)
    outputs.push_back(graph.reduce(largest ? "ReduceMax" : "ReduceMin", x, reduction.axes, reduction.keep));
  if (only_index || layer.arguments().boolean("with_index"))
    outputs.push_back(place_of(graph, largest ? "ArgMax" : "ArgMin", x, reduction));
  return outputs;
}

Attributes running_attributes(const Layer& layer) {
  return {{"exclusive", layer.arguments().boolean("exclusive") ? 1 : 0},
          {"reverse", layer.arguments().boolean("reverse") ? 1 : 0}};
}

LayerOutputs running_sum(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  return std::vector{
      layer.graph.node("CumSum", {x, layer.graph.integer(axis)}, x.shape, running_attributes(layer))};
}

LayerOutputs running_product(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  Attributes attributes = running_attributes(layer);
  attributes.emplace_back("axis", axis);
  return std::vector{layer.graph.node("noren::RunningProduct", {x}, x.shape, attributes)};
}

constexpr Rows kRows = Rows::kIndependent;  // where axis 0 is reduced, the outputs have no batch axis
constexpr Rows kByAxis = Rows::kByArguments;
constexpr Randomness kNone = Randomness::kNone;
constexpr LayerDefinition kLayers[] = {
    {"Sum", 1, 1, kRows, reduce<"ReduceSum">},
    {"Mean", 1, 1, kRows, reduce<"ReduceMean">},
    {"Prod", 1, 1, kRows, reduce<"ReduceProd">},
    {"Max", 1, 1, kRows, reduce_extreme<Extreme::kLargest>},
    {"Min", 1, 1, kRows, reduce_extreme<Extreme::kSmallest>},
    {"Norm", 1, 1, kRows, norm},
    {"ReduceSum", 1, 1, kRows, reduce_all<"ReduceSum">},
    {"ReduceMean", 1, 1, kRows, reduce_all<"ReduceMean">},
    {"CumSum", 1, 1, kByAxis, running_sum, kNone, axis_is_behind_batch},
    {"CumProd", 1, 1, kByAxis, running_product, kNone, axis_is_behind_batch},
};

}  // namespace

LayerFamily reduction_layers() { return kLayers; }

}  // namespace noren::worker
