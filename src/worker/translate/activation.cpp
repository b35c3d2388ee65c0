// Activation functions: elementwise, or along one axis. Source of the formulas: the reference
// implementation's documentation of each, with its corners measured (nan, infinities, zero).
#include "worker/translate/elementwise.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

/// x > 0 ? x : 0, so 0 for nan.
Value positive_part(GraphBuilder& graph, const Value& x) {
  return graph.unary("ThresholdedRelu", x, {{"alpha", 0.0F}});
}

/// max(0, x), and 0 for nan. Maps take ONNX Runtime's Relu, which keeps a nan, but which it fuses with the
/// convolution before it.
LayerOutputs relu(Layer& layer) {
  constexpr std::int64_t kMapAxes = 3;
  const Value& x = layer.input(0);
  return std::vector{x.rank() >= kMapAxes ? layer.graph.unary("Relu", x) : positive_part(layer.graph, x)};
}

float alpha_of(const Layer& layer) { return static_cast<float>(layer.arguments().real("alpha")); }

LayerOutputs leaky_relu(Layer& layer) {
  return std::vector{layer.graph.unary("LeakyRelu", layer.input(0), {{"alpha", alpha_of(layer)}})};
}

LayerOutputs elu(Layer& layer) {
  return std::vector{layer.graph.unary("Elu", layer.input(0), {{"alpha", alpha_of(layer)}})};
}

/// scale * (x > 0 ? x : alpha (e^x - 1)). (ONNX's Selu takes no negative alpha.)
LayerOutputs selu(Layer& layer) {
  const Value scaled = layer.graph.unary("Elu", layer.input(0), {{"alpha", alpha_of(layer)}});
  return std::vector{layer.graph.multiply(scaled, scalar_argument(layer, "scale"))};
}

/// f(x) and f(-x), side by side along the axis.
template <typename Function>
LayerOutputs both_signs(Layer& layer, Function function) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  GraphBuilder& graph = layer.graph;
  return std::vector{graph.concatenate({function(x), function(graph.unary("Neg", x))}, axis)};
}

LayerOutputs concatenated_relu(Layer& layer) {
  return both_signs(layer, [&](const Value& x) { return positive_part(layer.graph, x); });
}

LayerOutputs concatenated_elu(Layer& layer) {
  return both_signs(layer, [&](const Value& x) {
    return layer.graph.unary("Elu", x, {{"alpha", alpha_of(layer)}});
  });
}

/// x >= 0 ? x : slope x; one slope, or one for each position along base_axis.
LayerOutputs prelu(Layer& layer) {
  const Value& x = layer.input(0);
  const Value& slope = layer.input(1);
  ASSIGN_OR_RETURN(const std::int64_t axis,
                   resolve_axis(layer, layer.arguments().integer("base_axis"), x.rank()));
  const std::int64_t channels = x.shape[static_cast<std::size_t>(axis)];
  if (slope.count() != 1 && (slope.rank() != 1 || slope.count() != channels))
    return layer.refuse("the slope is " + to_string(slope.shape) + ", 1 number or " +
                        std::to_string(channels) + " are needed");
  GraphBuilder& graph = layer.graph;
  Shape shape(x.shape.size(), 1);
  shape[static_cast<std::size_t>(axis)] = slope.count();
  const Value spread = graph.reshape(slope, shape);
  return std::vector{graph.node("PRelu", {graph.with_batch_of(x, spread), spread}, x.shape)};
}

/// x / (1 + e^-x)
LayerOutputs swish(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value decay = graph.unary("Exp", graph.unary("Neg", x));
  return std::vector{graph.divide(x, graph.add(decay, graph.scalar(1.0F)))};
}

LayerOutputs gelu(Layer& layer) {
  return std::vector{layer.graph.unary("Gelu", layer.input(0), {{"approximate", "tanh"}})};
}

template <int low, int high>
LayerOutputs clip(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  return std::vector{graph.node("Clip", {x, graph.scalar(low), graph.scalar(high)}, x.shape)};
}

LayerOutputs hard_sigmoid(Layer& layer) {
  return std::vector{layer.graph.unary("HardSigmoid", layer.input(0), {{"alpha", 0.2F}, {"beta", 0.5F}})};
}

LayerOutputs log_sigmoid(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  return std::vector{graph.unary("Neg", graph.unary("Softplus", graph.unary("Neg", layer.input(0))))};
}

/// max(x, 0) + log(1 + e^(-beta |x|)) / beta: beta may have any sign.
LayerOutputs soft_plus(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const auto beta = static_cast<float>(layer.arguments().real("beta"));
  if (beta == 1.0F) return std::vector{graph.unary("Softplus", x)};
  const Value decay = graph.unary("Exp", graph.multiply(graph.unary("Abs", x), graph.scalar(-beta)));
  const Value tail = graph.unary("Log", graph.add(decay, graph.scalar(1.0F)));
  return std::vector{graph.add(graph.unary("Relu", x), graph.divide(tail, graph.scalar(beta)))};
}

LayerOutputs tanh_shrink(Layer& layer) {
  return std::vector{layer.graph.subtract(layer.input(0), layer.graph.unary("Tanh", layer.input(0)))};
}

/// sin(x) / x, and 1 at 0.
LayerOutputs sinc(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value at_zero = compare(graph, "Equal", x, graph.scalar(0.0F));
  return std::vector{choose(graph, at_zero, graph.scalar(1.0F), graph.divide(graph.unary("Sin", x), x))};
}

template <OperatorName op>
LayerOutputs along_axis(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  return std::vector{layer.graph.unary(op, x, {{"axis", axis}})};
}

constexpr std::string_view kReluNote =
    "in maps (3 axes and more) a nan stays a nan, where the reference makes it 0";
constexpr std::string_view kSigmoidNote = "exact to 1e-7: results below 1e-5 have fewer right digits";

constexpr Rows kRows = Rows::kIndependent;
constexpr Rows kByAxis = Rows::kByArguments;
constexpr Randomness kNone = Randomness::kNone;
constexpr LayerDefinition kLayers[] = {
    {"Sigmoid", 1, 1, kRows, unary<"Sigmoid">, kNone, nullptr, kSigmoidNote},
    {"Swish", 1, 1, kRows, swish},
    {"Tanh", 1, 1, kRows, unary<"Tanh">},
    {"ReLU", 1, 1, kRows, relu, kNone, nullptr, kReluNote},
    {"LeakyReLU", 1, 1, kRows, leaky_relu},
    {"Softmax", 1, 1, kByAxis, along_axis<"Softmax">, kNone, axis_is_behind_batch},
    {"LogSoftmax", 1, 1, kByAxis, along_axis<"LogSoftmax">, kNone, axis_is_behind_batch},
    {"ELU", 1, 1, kRows, elu},
    {"SELU", 1, 1, kRows, selu},
    {"CReLU", 1, 1, kRows, concatenated_relu},
    {"CELU", 1, 1, kRows, concatenated_elu},
    {"PReLU", 2, 2, kRows, prelu},
    {"GELU", 1, 1, kRows, gelu},
    {"Mish", 1, 1, kRows, unary<"Mish">},
    {"ReLU6", 1, 1, kRows, clip<0, 6>},
    {"HardSigmoid", 1, 1, kRows, hard_sigmoid},
    {"HardTanh", 1, 1, kRows, clip<-1, 1>},
    {"LogSigmoid", 1, 1, kRows, log_sigmoid},
    {"SoftPlus", 1, 1, kRows, soft_plus},
    {"SoftSign", 1, 1, kRows, unary<"Softsign">},
    {"TanhShrink", 1, 1, kRows, tanh_shrink},
    {"Sinc", 1, 1, kRows, sinc},
};

}  // namespace

LayerFamily activation_layers() { return kLayers; }

}  // namespace noren::worker
