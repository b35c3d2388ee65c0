// Layers that round what flows through them.
#include <algorithm>
#include <cmath>

#include "worker/tensor/quantize.h"
#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

/// 1 where x > 0, else `otherwise` (also for nan).
Value step_function(Layer& layer, float otherwise) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value positive = graph.elementwise("Greater", x, graph.scalar(0), ElementType::kBool);
  return graph.node("Where", {positive, graph.scalar(1), graph.scalar(otherwise)}, x.shape);
}

LayerOutputs binary_sigmoid(Layer& layer) { return std::vector{step_function(layer, 0)}; }
LayerOutputs binary_tanh(Layer& layer) { return std::vector{step_function(layer, -1)}; }

/// The rule over a parameter now, over anything else by the operator with these attributes.
template <typename Rule>
Value apply_rule(GraphBuilder& graph, const Value& x, const Rule& rule, std::string_view op,
                 const Attributes& attributes) {
  if (x.constant == nullptr) return graph.unary(op, x, attributes);
  const float* from = x.constant->data<float>();
  std::vector<float> values(static_cast<std::size_t>(x.count()));
  std::transform(from, from + x.count(), values.begin(), rule);
  return graph.floats(x.shape, std::move(values));
}

/// The bits that are left for the size of a number. At most 62, so that powers of two stay exact.
Result<std::int64_t> size_bits(const Layer& layer, std::int64_t used) {
  const std::int64_t bits = layer.arguments().integer("n");
  if (bits - used < 1 || bits > 62)
    return layer.refuse("a width of " + std::to_string(bits) + " bits is not possible");
  return bits - used;
}

LayerOutputs fixed_point_quantize(Layer& layer) {
  const bool has_sign = layer.arguments().boolean("sign");
  const auto step = static_cast<float>(layer.arguments().real("delta"));
  if (!(step > 0)) return layer.refuse("delta must be greater than 0");
  ASSIGN_OR_RETURN(const std::int64_t bits, size_bits(layer, has_sign ? 1 : 0));
  const auto high = static_cast<float>((std::pow(2.0, static_cast<double>(bits)) - 1) * double{step});
  const FixedPointRule rule{.step = step, .low = has_sign ? -high : 0.0F, .high = high};
  return std::vector{apply_rule(layer.graph, layer.input(0), rule, "noren::FixedPointQuantize",
                                {{"step", rule.step}, {"low", rule.low}, {"high", rule.high}})};
}

LayerOutputs power_of_two_quantize(Layer& layer) {
  const bool has_sign = layer.arguments().boolean("sign");
  const bool has_zero = layer.arguments().boolean("with_zero");
  const std::int64_t largest = layer.arguments().integer("m");
  ASSIGN_OR_RETURN(const std::int64_t bits, size_bits(layer, (has_sign ? 1 : 0) + (has_zero ? 1 : 0)));
  if (bits > 30 || largest < -1000 || largest > 1000)
    return layer.refuse("n " + std::to_string(layer.arguments().integer("n")) + " and m " +
                        std::to_string(largest) + " are not possible");
  const auto smallest = static_cast<double>(largest - ((std::int64_t{1} << bits) - 1));
  PowerOfTwoRule rule{};
  rule.smallest = static_cast<float>(std::pow(2.0, smallest));
  rule.largest = static_cast<float>(std::pow(2.0, static_cast<double>(largest)));
  rule.zero_below = static_cast<float>(double{rule.smallest} * std::pow(2.0, -0.5));
  rule.sign = has_sign ? Sign::kKept : Sign::kDropped;
  rule.zero = has_zero ? Zero::kExists : Zero::kMissing;
  return std::vector{apply_rule(layer.graph, layer.input(0), rule, "noren::Pow2Quantize",
                                {{"smallest", rule.smallest},
                                 {"largest", rule.largest},
                                 {"zero_below", rule.zero_below},
                                 {"sign", has_sign ? 1 : 0},
                                 {"zero", has_zero ? 1 : 0}})};
}

LayerOutputs prune_layer(Layer& layer) {
  const Value& x = layer.input(0);
  const auto rate = static_cast<float>(layer.arguments().real("rate"));
  if (!(rate >= 0 && rate <= 1)) return layer.refuse("rate must be between 0 and 1");
  if (x.constant == nullptr) return std::vector{layer.graph.unary("noren::Prune", x, {{"rate", rate}})};
  std::vector<float> values(static_cast<std::size_t>(x.count()));
  prune(x.constant->data<float>(), values.data(), values.size(), rate);
  return std::vector{layer.graph.floats(x.shape, std::move(values))};
}

/// Half away from zero, exactly: the fraction is exact, so only it decides.
Value round_half_away(GraphBuilder& graph, const Value& x) {
  const Value size = graph.unary("Abs", x);
  const Value whole = graph.unary("Floor", size);
  const Value up = graph.elementwise("GreaterOrEqual", graph.subtract(size, whole), graph.scalar(0.5F),
                                     ElementType::kBool);
  return graph.multiply(graph.add(whole, graph.cast(up, ElementType::kFloat32)), graph.unary("Sign", x));
}

/// The inputs behind the first have its rank; each axis has its length or 1.
Status check_parameters(const Layer& layer) {
  const Shape& x = layer.input(0).shape;
  for (std::size_t i = 1; i < layer.inputs.size(); ++i) {
    const Shape& shape = layer.input(i).shape;
    bool fits = shape.size() == x.size();
    for (std::size_t axis = 0; fits && axis < x.size(); ++axis)
      fits = shape[axis] == 1 || shape[axis] == x[axis];
    if (!fits)
      return layer.refuse("input " + std::to_string(i + 1) + " is " + to_string(shape) +
                          ", which does not fit " + to_string(x));
  }
  return Ok{};
}

Value clip(GraphBuilder& graph, const Value& x, const Value& low, const Value& high) {
  return graph.elementwise("Min", graph.elementwise("Max", x, low), high);
}

/// saturate(round(x / scale) + saturate(round(zero_point)))
LayerOutputs quantize_linear(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  TRY(check_parameters(layer));
  const std::string& mode = layer.arguments().text("round_mode");
  const bool is_narrow = layer.arguments().boolean("narrow_range");
  const std::int64_t dtype = layer.arguments().integer("dtype");
  if (dtype != 1 && dtype != 2)
    return layer.not_supported("its dtype " + std::to_string(dtype) + " is neither 1 (int8) nor 2 (uint8)");
  const float unsigned_low = is_narrow ? 1 : 0, signed_low = is_narrow ? -127 : -128;
  const Value low = graph.scalar(dtype == 1 ? signed_low : unsigned_low);
  const Value high = graph.scalar(dtype == 1 ? 127 : 255);
  const auto rounded = [&](const Value& value) {
    if (mode == "HALF_AWAY_FROM_ZERO") return round_half_away(graph, value);
    return mode == "HALF_TO_EVEN" ? graph.unary("Round", value) : value;
  };
  const Value zero_point = clip(graph, rounded(layer.input(2)), low, high);
  const Value scaled = rounded(graph.divide(layer.input(0), layer.input(1)));
  return std::vector{clip(graph, graph.add(scaled, zero_point), low, high)};
}

/// (x - zero_point) * scale
LayerOutputs dequantize_linear(Layer& layer) {
  TRY(check_parameters(layer));
  const Value distance = layer.graph.subtract(layer.input(0), layer.input(2));
  return std::vector{layer.graph.multiply(distance, layer.input(1))};
}

/// The range of real numbers that a MinMaxQuantize covers.
struct Range {
  Value low, high;
};

/// From the file, from the request, or the request averaged into the file's (for this request alone).
Range real_range(const Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  Range given{.low = layer.input(1), .high = layer.input(2)};
  if (!layer.arguments().boolean("x_min_max")) return given;
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis)
    if (given.low.shape[static_cast<std::size_t>(axis)] == 1) axes.push_back(axis);
  const auto extreme = [&](std::string_view op) {
    return axes.empty() ? x : graph.reduce(op, x, axes, GraphBuilder::KeepAxes::kYes);
  };
  Range own{.low = extreme("ReduceMin"), .high = extreme("ReduceMax")};
  if (!layer.arguments().boolean("ema")) return own;
  const auto decay = static_cast<float>(layer.arguments().real("decay"));
  const Value rest = graph.scalar(static_cast<float>(1.0 - double{decay}));
  const auto mixed = [&](const Value& old, const Value& now) {
    return graph.add(graph.multiply(old, graph.scalar(decay)), graph.multiply(now, rest));
  };
  return {.low = mixed(given.low, own.low), .high = mixed(given.high, own.high)};
}

/// The ranges can have fewer axes than the input, as the console makes them: they are stretched over its last
/// axes. The reference compares their lengths with its first axes too, and finds its own range only in one
/// with all axes.
Status check_ranges(const Layer& layer) {
  const Shape& x = layer.input(0).shape;
  const Shape& range = layer.input(1).shape;
  for (std::size_t i = 2; i < 5; ++i)
    if (layer.input(i).shape != range) return layer.refuse("its four ranges differ in shape");
  if (range.size() >= x.size() || layer.arguments().boolean("x_min_max")) return check_parameters(layer);
  const std::size_t offset = x.size() - range.size();
  for (std::size_t axis = 0; axis < range.size(); ++axis)
    if (range[axis] != 1 && (range[axis] != x[axis] || range[axis] != x[offset + axis]))
      return layer.refuse("its ranges are " + to_string(range) + ", which does not fit " + to_string(x));
  return Ok{};
}

/// x clipped to a range whose zero is a whole step, and rounded to whole steps.
LayerOutputs min_max_quantize(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  TRY(check_ranges(layer));
  const Value& x = layer.input(0);
  const Value& step_low = layer.input(3);
  const Value& step_high = layer.input(4);
  const Value epsilon = graph.scalar(static_cast<float>(layer.arguments().real("eps")));
  const Range range = real_range(layer);
  const Value is_narrow =
      graph.elementwise("Less", graph.subtract(range.high, range.low), epsilon, ElementType::kBool);
  const Value high =
      graph.node("Where", {is_narrow, graph.add(range.low, epsilon), range.high}, range.low.shape);
  const Value scale = graph.divide(graph.subtract(high, range.low), graph.subtract(step_high, step_low));

  const Value zero = graph.subtract(step_low, graph.divide(range.low, scale));
  const Value whole_zero = clip(graph, round_half_away(graph, zero), step_low, step_high);
  const Value at_or_below = graph.elementwise("LessOrEqual", zero, step_low, ElementType::kBool);
  const Value at_or_above = graph.elementwise("GreaterOrEqual", zero, step_high, ElementType::kBool);
  const Value upper = graph.node("Where", {at_or_above, step_high, whole_zero}, zero.shape);
  const Value zero_step = graph.node("Where", {at_or_below, step_low, upper}, zero.shape);
  const Value first = graph.multiply(graph.subtract(step_low, zero_step), scale);
  const Value last = graph.multiply(graph.subtract(step_high, zero_step), scale);

  const Value steps = graph.divide(graph.subtract(clip(graph, x, first, last), first), scale);
  return std::vector{graph.add(graph.multiply(round_half_away(graph, steps), scale), first)};
}

bool range_is_given(const Layer& layer) {
  return !layer.arguments().boolean("x_min_max") && others_have_no_batch(layer);
}

constexpr LayerDefinition kLayers[] = {
    {"BinarySigmoid", 1, 1, Rows::kIndependent, binary_sigmoid},
    {"BinaryTanh", 1, 1, Rows::kIndependent, binary_tanh},
    {"FixedPointQuantize", 1, 1, Rows::kIndependent, fixed_point_quantize},
    {"Pow2Quantize", 1, 1, Rows::kIndependent, power_of_two_quantize},
    {"Prune", 1, 1, Rows::kDependent, prune_layer},
    {"QuantizeLinear", 3, 3, Rows::kByArguments, quantize_linear, Randomness::kNone, others_have_no_batch},
    {"DequantizeLinear", 3, 3, Rows::kByArguments, dequantize_linear, Randomness::kNone,
     others_have_no_batch},
    {"MinMaxQuantize", 5, 5, Rows::kByArguments, min_max_quantize, Randomness::kNone, range_is_given,
     "With x_min_max the range is that of the request itself; the file's range is never changed."},
};

}  // namespace

LayerFamily quantize_layers() { return kLayers; }

}  // namespace noren::worker
