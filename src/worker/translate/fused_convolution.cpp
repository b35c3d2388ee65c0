#include <algorithm>
#include <cstdlib>

#include "base/limits.h"
#include "worker/translate/convolution.h"
#include "worker/translate/families.h"
#include "worker/translate/normalization.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

/// The inputs of a FusedConvolution, told apart by their number as the reference does. Value{} where left
/// out.
struct FusedInputs {
  Value x, weight, bias, residual;
  BatchStatistics statistics;
  bool has_statistics = false;
};

Result<FusedInputs> read_inputs(const Layer& layer) {
  const std::vector<Value> inputs = present_inputs(layer);
  const std::size_t count = inputs.size();
  if (count < 2 || count == 5 || count > 7)
    return layer.refuse("it has " + std::to_string(count) + " inputs, which is no combination that there is");
  FusedInputs found{.x = inputs[0], .weight = inputs[1]};
  if (count == 3) (inputs[2].rank() == 1 ? found.bias : found.residual) = inputs[2];
  if (count == 4) {
    found.bias = inputs[2];
    found.residual = inputs[3];
  }
  if (count >= 6) {
    found.statistics = {.beta = inputs[2], .gamma = inputs[3], .mean = inputs[4], .variance = inputs[5]};
    found.has_statistics = true;
  }
  if (count == 7) {
    if (inputs[2].rank() == 1) return layer.refuse("a bias and batch normalization can't both be given");
    found.residual = inputs[6];
  }
  return found;
}

/// Beginning and end of each spatial axis: one number for both, or two.
Status read_pads(const Layer& layer, ConvolutionForm& form) {
  const std::size_t axes = form.spatial_axes_count;
  const bool in_pairs = layer.arguments().integers("pad").size() == 2 * axes;
  ASSIGN_OR_RETURN(const Shape pads, window_argument(layer, "pad", in_pairs ? 2 * axes : axes, 0, 0));
  for (std::size_t i = 0; i < axes; ++i) {
    form.window.pad_begin.push_back(in_pairs ? pads[2 * i] : pads[i]);
    form.window.pad_end.push_back(in_pairs ? pads[2 * i + 1] : pads[i]);
  }
  return Ok{};
}

/// Where position `i` of an axis of this length, bounced at both ends, comes from.
std::int64_t bounced(std::int64_t i, std::int64_t length) {
  const std::int64_t last = length - 1;
  if (last == 0) return 0;
  const std::int64_t place = std::abs(i);
  return std::abs((place / last & 1) * last - place % last);
}

/// Bounces as often as the padding needs: ONNX's own reflection does so once.
Value pad_by_bouncing(GraphBuilder& graph, const Value& x, std::int64_t axis, std::int64_t begin,
                      std::int64_t end) {
  Shape shape = x.shape;
  const std::int64_t length = shape[static_cast<std::size_t>(axis)];
  std::vector<std::int64_t> sources;
  for (std::int64_t i = -begin; i < length + end; ++i) sources.push_back(bounced(i, length));
  shape[static_cast<std::size_t>(axis)] = length + begin + end;
  return graph.node("Gather", {x, graph.integers(sources)}, shape, {{"axis", axis}});
}

/// x with its spatial axes (the last ones) padded as pad_mode says, and no padding left for the convolution.
Result<Value> pad_input(const Layer& layer, const Value& x, Window& window) {
  GraphBuilder& graph = layer.graph;
  const std::string& mode = layer.arguments().text("pad_mode");
  if (mode != "constant" && mode != "reflect" && mode != "repeat")
    return layer.not_supported("its pad_mode '" + mode + "' is none of constant, reflect, repeat");
  Shape shape = x.shape;
  const std::size_t axes = window.pad_begin.size(), first = shape.size() - axes;
  std::vector<std::int64_t> begin(shape.size(), 0), end(shape.size(), 0);
  for (std::size_t i = 0; i < axes; ++i) {
    begin[first + i] = window.pad_begin[i];
    end[first + i] = window.pad_end[i];
    shape[first + i] += begin[first + i] + end[first + i];
  }
  TRY(check_size(layer, shape));
  window.pad_begin.assign(axes, 0);
  window.pad_end.assign(axes, 0);
  if (shape == x.shape) return x;
  bool bounces_once = true;
  for (std::size_t axis = first; axis < shape.size(); ++axis)
    bounces_once = bounces_once && std::max(begin[axis], end[axis]) < x.shape[axis];
  if (mode == "reflect" && !bounces_once) {
    Value y = x;
    for (std::size_t axis = first; axis < shape.size(); ++axis) {
      if (shape[axis] > limits::kPositionsCount)
        return layer.refuse("pad is wider than " + std::to_string(limits::kPositionsCount));
      y = pad_by_bouncing(graph, y, static_cast<std::int64_t>(axis), begin[axis], end[axis]);
    }
    return y;
  }
  begin.insert(begin.end(), end.begin(), end.end());
  if (mode != "constant")
    return graph.node("Pad", {x, graph.integers(begin)}, shape,
                      {{"mode", mode == "repeat" ? "edge" : "reflect"}});
  const Value filler = graph.scalar(static_cast<float>(layer.arguments().real("constant_value")));
  return graph.node("Pad", {x, graph.integers(begin), filler}, shape, {{"mode", "constant"}});
}

Result<Value> activate(const Layer& layer, const Value& x) {
  GraphBuilder& graph = layer.graph;
  const std::string& name = layer.arguments().text("nonlinearity");
  const std::vector<double>& numbers = layer.arguments().reals("nonlinearity_args");
  if (name.empty() || name == "identity") return x;
  if (name == "relu") return graph.unary("Relu", x);
  if (name == "sigmoid") return graph.unary("Sigmoid", x);
  if (name == "tanh") return graph.unary("Tanh", x);
  if (name == "relu6") return graph.node("Clip", {x, graph.scalar(0), graph.scalar(6)}, x.shape);
  if (name != "leaky_relu" && name != "elu")
    return layer.not_supported("its nonlinearity '" + name + "' is not known");
  if (numbers.size() != 1)
    return layer.refuse("its nonlinearity '" + name + "' needs one number in nonlinearity_args");
  return graph.unary(name == "elu" ? "Elu" : "LeakyRelu", x, {{"alpha", static_cast<float>(numbers[0])}});
}

/// Padding, convolution, batch normalisation, a residual input and an activation, each where it is asked for.
LayerOutputs fused_convolution(Layer& layer) {
  ASSIGN_OR_RETURN(const FusedInputs inputs, read_inputs(layer));
  ASSIGN_OR_RETURN(ConvolutionForm form, read_convolution_without_pad(layer, inputs.x));
  TRY(read_pads(layer, form));
  const Arguments& arguments = layer.arguments();
  const std::string& mode = arguments.text("pad_mode");
  Value x = inputs.x;
  if ((!mode.empty() && mode != "constant") || arguments.real("constant_value") != 0) {
    if (form.channel_last) return layer.not_supported("channel_last is possible with zero padding only");
    ASSIGN_OR_RETURN(x, pad_input(layer, x, form.window));
  }
  ASSIGN_OR_RETURN(Value y, convolve(layer, form, x, inputs.weight, inputs.bias));
  if (inputs.has_statistics) {
    const std::int64_t axis = form.channel_last ? y.rank() - 1 : form.base_axis;
    const Statistics statistics =
        arguments.boolean("batch_stat") ? Statistics::kOfBatch : Statistics::kOfTraining;
    ASSIGN_OR_RETURN(const auto normalized, normalize_batch(layer, y, inputs.statistics, axis, statistics));
    y = normalized[0];
  }
  if (!inputs.residual.name.empty()) {
    const auto shape = broadcast_shapes(y.shape, inputs.residual.shape);
    if (!shape.ok() || *shape != y.shape)
      return layer.refuse("the residual input " + to_string(inputs.residual.shape) + " does not fit " +
                          to_string(y.shape));
    y = layer.graph.add(y, inputs.residual);
  }
  ASSIGN_OR_RETURN(y, activate(layer, y));
  return std::vector{y};
}

bool rows_are_independent(const Layer& layer) {
  const auto inputs = read_inputs(layer);
  const std::int64_t base = layer.arguments().integer("base_axis");
  if (!inputs.ok() || base == 0 || base == -layer.input(0).rank()) return false;
  if (inputs->has_statistics && layer.arguments().boolean("batch_stat")) return false;
  const BatchStatistics& statistics = inputs->statistics;
  return !inputs->weight.batch && !inputs->bias.batch && !statistics.beta.batch && !statistics.gamma.batch &&
         !statistics.mean.batch && !statistics.variance.batch;
}

constexpr LayerDefinition kLayers[] = {
    {"FusedConvolution", 2, 8, Rows::kByArguments, fused_convolution, Randomness::kNone, rows_are_independent,
     "With batch_stat the statistics are those of the request itself; running statistics are never changed."},
};

}  // namespace

LayerFamily fused_convolution_layers() { return kLayers; }

}  // namespace noren::worker
