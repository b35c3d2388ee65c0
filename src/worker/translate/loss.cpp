// Loss and validation functions. Their labels are floats in a network from a file and are cut to whole
// numbers, as the reference does when it reads them as integers; a label outside of the classes counts as the
// nearest one, and in a confusion matrix not at all.
#include <limits>

#include "worker/translate/families.h"

namespace noren::worker {
namespace {

constexpr float kSmallestNormal = std::numeric_limits<float>::min();  // the reference's floor of a logarithm
constexpr float kTinyProbability = 1.0e-8F;                           // the reference's, in KLMultinomial

Status require_same_shape(const Layer& layer) {
  if (layer.input(0).shape == layer.input(1).shape) return Ok{};
  return layer.refuse("its inputs are " + to_string(layer.input(0).shape) + " and " +
                      to_string(layer.input(1).shape) + ", they must be alike");
}

/// Errors between two tensors broadcast axes of length 1, as all elementwise functions of two inputs do.
Status require_broadcastable(const Layer& layer) {
  const Value& a = layer.input(0);
  const Value& b = layer.input(1);
  if (a.rank() == b.rank() && broadcast_shapes(a.shape, b.shape).ok()) return Ok{};
  return layer.refuse("its inputs are " + to_string(a.shape) + " and " + to_string(b.shape) +
                      ", they don't fit together");
}

/// Scores with one label for each position: the axis of the classes, and the labels as indices within it.
struct Labelled {
  std::int64_t axis = 0;
  std::int64_t classes = 0;
  Value label;  ///< as it came
  Value whole;  ///< int64, cut
  Value index;  ///< int64, 0 to classes - 1
};

Result<Labelled> labelled(Layer& layer) {
  const Value& scores = layer.input(0);
  const Value& label = layer.input(1);
  Labelled result{.label = label};
  ASSIGN_OR_RETURN(result.axis, resolve_axis(layer, layer.arguments().integer("axis"), scores.rank()));
  result.classes = scores.shape[static_cast<std::size_t>(result.axis)];
  Shape expected = scores.shape;
  expected[static_cast<std::size_t>(result.axis)] = 1;
  if (label.shape != expected)
    return layer.refuse("the labels are " + to_string(label.shape) + ", " + to_string(expected) +
                        " is needed");
  GraphBuilder& graph = layer.graph;
  result.whole = graph.cast(label, ElementType::kInt64);
  result.index = graph.node("Clip", {result.whole, graph.integer(0), graph.integer(result.classes - 1)},
                            label.shape, {}, ElementType::kInt64);
  return result;
}

Value pick(Layer& layer, const Value& scores, const Labelled& labels) {
  return layer.graph.node("GatherElements", {scores, labels.index}, labels.label.shape,
                          {{"axis", labels.axis}});
}

/// A label below 0 says "ignore": the loss there is 0.
Value where_labelled(Layer& layer, const Labelled& labels, const Value& loss) {
  GraphBuilder& graph = layer.graph;
  const Value ignored =
      graph.elementwise("LessOrEqual", labels.label, graph.scalar(-1.0F), ElementType::kBool);
  return graph.node("Where", {ignored, graph.scalar(0.0F), loss}, loss.shape);
}

LayerOutputs softmax_cross_entropy(Layer& layer) {
  ASSIGN_OR_RETURN(const Labelled labels, labelled(layer));
  const Value log_softmax = layer.graph.unary("LogSoftmax", layer.input(0), {{"axis", labels.axis}});
  const Value loss = layer.graph.unary("Neg", pick(layer, log_softmax, labels));
  return std::vector{where_labelled(layer, labels, loss)};
}

LayerOutputs categorical_cross_entropy(Layer& layer) {
  ASSIGN_OR_RETURN(const Labelled labels, labelled(layer));
  GraphBuilder& graph = layer.graph;
  const Value floored =
      graph.elementwise("Max", pick(layer, layer.input(0), labels), graph.scalar(kSmallestNormal));
  return std::vector{where_labelled(layer, labels, graph.unary("Neg", graph.unary("Log", floored)))};
}

/// -(x (t - [x >= 0]) - log(1 + exp(x - 2 x [x >= 0])))
LayerOutputs sigmoid_cross_entropy(Layer& layer) {
  TRY(require_same_shape(layer));
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value target = graph.cast(graph.cast(layer.input(1), ElementType::kInt64), ElementType::kFloat32);
  const Value product = graph.multiply(x, target);
  const Value positive = graph.unary("Relu", x);
  const Value tail = graph.unary("Softplus", graph.unary("Neg", graph.unary("Abs", x)));
  return std::vector{graph.add(graph.subtract(positive, product), tail)};
}

/// -(t log max(p, min) + (1 - t) log max(1 - p, min))
LayerOutputs binary_cross_entropy(Layer& layer) {
  TRY(require_same_shape(layer));
  GraphBuilder& graph = layer.graph;
  const Value one = graph.scalar(1.0F), floor = graph.scalar(kSmallestNormal);
  const auto log_of = [&](const Value& p) { return graph.unary("Log", graph.elementwise("Max", p, floor)); };
  const Value& p = layer.input(0);
  const Value& target = layer.input(1);
  const Value hit = graph.multiply(target, log_of(p));
  const Value miss = graph.multiply(graph.subtract(one, target), log_of(graph.subtract(one, p)));
  return std::vector{graph.unary("Neg", graph.add(hit, miss))};
}

LayerOutputs squared_error(Layer& layer) {
  TRY(require_broadcastable(layer));
  const Value difference = layer.graph.subtract(layer.input(0), layer.input(1));
  return std::vector{layer.graph.multiply(difference, difference)};
}

LayerOutputs absolute_error(Layer& layer) {
  TRY(require_broadcastable(layer));
  return std::vector{layer.graph.unary("Abs", layer.graph.subtract(layer.input(0), layer.input(1)))};
}

/// d^2 where |d| < delta, else delta (2 |d| - delta).
LayerOutputs huber_loss(Layer& layer) {
  TRY(require_broadcastable(layer));
  GraphBuilder& graph = layer.graph;
  const auto delta = static_cast<float>(layer.arguments().real("delta"));
  const Value difference = graph.subtract(layer.input(0), layer.input(1));
  const Value size = graph.unary("Abs", difference);
  const Value small = graph.elementwise("Less", size, graph.scalar(delta), ElementType::kBool);
  const Value linear = graph.multiply(
      graph.scalar(delta), graph.subtract(graph.multiply(size, graph.scalar(2.0F)), graph.scalar(delta)));
  return std::vector{
      graph.node("Where", {small, graph.multiply(difference, difference), linear}, size.shape)};
}

/// max(|d| - epsilon, 0)
LayerOutputs epsilon_insensitive_loss(Layer& layer) {
  TRY(require_broadcastable(layer));
  GraphBuilder& graph = layer.graph;
  const auto epsilon = static_cast<float>(layer.arguments().real("epsilon"));
  const Value size = graph.unary("Abs", graph.subtract(layer.input(0), layer.input(1)));
  return std::vector{graph.unary("Relu", graph.subtract(size, graph.scalar(epsilon)))};
}

/// sum p (log(p + 1e-8) - log(q + 1e-8)) over the axes from base_axis on; the last axis stays as 1.
LayerOutputs kl_multinomial(Layer& layer) {
  TRY(require_same_shape(layer));
  GraphBuilder& graph = layer.graph;
  const Value& p = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t base_axis,
                   resolve_axis(layer, layer.arguments().integer("base_axis"), p.rank()));
  if (base_axis == 0) return layer.refuse("base_axis must be 1 or more");
  const Value tiny = graph.scalar(kTinyProbability);
  const auto log_of = [&](const Value& x) { return graph.unary("Log", graph.add(x, tiny)); };
  const Value terms = graph.multiply(p, graph.subtract(log_of(p), log_of(layer.input(1))));
  std::vector<std::int64_t> axes;
  Shape shape(p.shape.begin(), p.shape.begin() + base_axis);
  for (std::int64_t axis = base_axis; axis < p.rank(); ++axis) axes.push_back(axis);
  shape.push_back(1);
  return std::vector{
      graph.reshape(graph.reduce("ReduceSum", terms, axes, GraphBuilder::KeepAxes::kNo), shape)};
}

/// 1 where more than n scores are at least the label's.
LayerOutputs top_n_error(Layer& layer) {
  ASSIGN_OR_RETURN(const Labelled labels, labelled(layer));
  GraphBuilder& graph = layer.graph;
  const Value threshold = pick(layer, layer.input(0), labels);
  const Value as_high = graph.elementwise("GreaterOrEqual", layer.input(0), threshold, ElementType::kBool);
  const Value count = graph.reduce("ReduceSum", graph.cast(as_high, ElementType::kFloat32), {labels.axis},
                                   GraphBuilder::KeepAxes::kYes);
  const Value n = graph.scalar(static_cast<float>(layer.arguments().integer("n")));
  return std::vector{
      graph.cast(graph.elementwise("Greater", count, n, ElementType::kBool), ElementType::kFloat32)};
}

LayerOutputs binary_error(Layer& layer) {
  TRY(require_same_shape(layer));
  GraphBuilder& graph = layer.graph;
  const Value half = graph.scalar(0.5F);
  const auto is_one = [&](const Value& x) {
    return graph.elementwise("GreaterOrEqual", x, half, ElementType::kBool);
  };
  const Value differs =
      graph.elementwise("Xor", is_one(layer.input(0)), is_one(layer.input(1)), ElementType::kBool);
  return std::vector{graph.cast(differs, ElementType::kFloat32)};
}

/// counts[label][best class], over all positions of all rows.
LayerOutputs confusion_matrix(Layer& layer) {
  ASSIGN_OR_RETURN(const Labelled labels, labelled(layer));
  GraphBuilder& graph = layer.graph;
  const Shape matrix = {labels.classes, labels.classes};
  const auto cells = checked_element_count(matrix);
  if (!cells.ok()) return layer.refuse("too many classes: " + cells.error().text);
  const Value best = graph.node("ArgMax", {layer.input(0)}, labels.label.shape,
                                {{"axis", labels.axis}, {"keepdims", 1}}, ElementType::kInt64);
  const Value row =
      graph.elementwise("Mul", labels.index, graph.integer(labels.classes), ElementType::kInt64);
  const Value cell = graph.elementwise("Add", row, best, ElementType::kInt64);
  const Shape flat = {labels.label.count()};
  const Value positions = graph.node("Reshape", {cell, graph.integers({-1})}, flat, {}, ElementType::kInt64);
  const Value zeros = graph.floats({*cells}, std::vector<float>(static_cast<std::size_t>(*cells), 0.0F));
  const Value is_class = graph.elementwise("Equal", labels.whole, labels.index, ElementType::kBool);
  const Value ones =
      graph.node("Reshape", {graph.cast(is_class, ElementType::kFloat32), graph.integers({-1})}, flat);
  const Value counts =
      graph.node("ScatterElements", {zeros, positions, ones}, {*cells}, {{"reduction", "add"}});
  Value result = graph.reshape(counts, matrix);
  result.batch = false;
  return std::vector{result};
}

bool class_axis_is_behind_batch(const Layer& layer) {
  const std::int64_t axis = layer.arguments().integer("axis");
  return axis != 0 && axis != -layer.input(0).rank();
}
bool base_axis_is_behind_batch(const Layer& layer) { return layer.arguments().integer("base_axis") != 0; }

constexpr LayerDefinition kLosses[] = {
    {"SigmoidCrossEntropy", 2, 2, Rows::kIndependent, sigmoid_cross_entropy},
    {"BinaryCrossEntropy", 2, 2, Rows::kIndependent, binary_cross_entropy},
    {"SoftmaxCrossEntropy", 2, 2, Rows::kByArguments, softmax_cross_entropy, Randomness::kNone,
     class_axis_is_behind_batch},
    {"CategoricalCrossEntropy", 2, 2, Rows::kByArguments, categorical_cross_entropy, Randomness::kNone,
     class_axis_is_behind_batch},
    {"SquaredError", 2, 2, Rows::kIndependent, squared_error},
    {"AbsoluteError", 2, 2, Rows::kIndependent, absolute_error},
    {"HuberLoss", 2, 2, Rows::kIndependent, huber_loss},
    {"EpsilonInsensitiveLoss", 2, 2, Rows::kIndependent, epsilon_insensitive_loss},
    {"KLMultinomial", 2, 2, Rows::kByArguments, kl_multinomial, Randomness::kNone, base_axis_is_behind_batch},
};

constexpr LayerDefinition kValidations[] = {
    {"TopNError", 2, 2, Rows::kByArguments, top_n_error, Randomness::kNone, class_axis_is_behind_batch},
    {"BinaryError", 2, 2, Rows::kIndependent, binary_error},
    {"ConfusionMatrix", 2, 2, Rows::kDependent, confusion_matrix},
};

}  // namespace

LayerFamily loss_layers() { return kLosses; }
LayerFamily validation_layers() { return kValidations; }

}  // namespace noren::worker
