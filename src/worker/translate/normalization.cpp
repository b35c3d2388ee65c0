#include "worker/translate/normalization.h"

#include <algorithm>
#include <cmath>

#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

bool contains(const std::vector<std::int64_t>& axes, std::int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

std::vector<std::int64_t> sorted_unique(std::vector<std::int64_t> axes) {
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

std::vector<std::int64_t> axes_without(std::int64_t rank, const std::vector<std::int64_t>& kept) {
  std::vector<std::int64_t> rest;
  for (std::int64_t axis = 0; axis < rank; ++axis)
    if (!contains(kept, axis)) rest.push_back(axis);
  return rest;
}

/// True where `value` has x's length on the kept axes behind axis 0, and 1 on all others: then it is one
/// number for each "channel" of an InstanceNormalization.
bool is_per_channel(const Value& value, const Value& x, const std::vector<std::int64_t>& kept) {
  if (value.rank() != x.rank()) return false;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    const bool is_channel = contains(kept, axis) && (axis != 0 || x.shape[0] == 1);
    if (value.shape[i] != (is_channel ? x.shape[i] : 1)) return false;
  }
  return !value.batch;
}

Value scaled(GraphBuilder& graph, Value y, const Value& scale, const Value& bias) {
  if (!scale.name.empty()) y = graph.multiply(y, scale);
  if (!bias.name.empty()) y = graph.add(y, bias);
  return y;
}

/// The one kernel of ONNX Runtime that takes mean and variance in two passes, exactly: everything is brought
/// into its form (rows, channels, what is averaged over).
Value instance_normalization(GraphBuilder& graph, const Value& x, const std::vector<std::int64_t>& kept,
                             float epsilon, const Value& scale, const Value& bias) {
  std::vector<std::int64_t> order = kept;
  const std::vector<std::int64_t> averaged = axes_without(x.rank(), kept);
  order.insert(order.end(), averaged.begin(), averaged.end());
  std::vector<std::int64_t> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);

  const Value ordered = graph.transpose(x, order);
  const bool rows_are_kept = !kept.empty() && kept.front() == 0;
  const std::int64_t rows = rows_are_kept ? x.shape[0] : 1;
  const std::int64_t channels = product(ordered.shape, 0, static_cast<std::int64_t>(kept.size())) / rows;
  const RowAxis row_axis = rows_before(x, rows_are_kept ? 1 : 0);
  const Shape form = {rows, channels, x.count() / rows / channels};
  const auto vector_of = [&](const Value& value, float otherwise) {
    if (value.name.empty())
      return graph.floats({channels}, std::vector<float>(static_cast<std::size_t>(channels), otherwise));
    return graph.reshape(value, {channels});
  };
  const Value in_form = reshape_rows(graph, ordered, form, row_axis);
  Value y = graph.node("InstanceNormalization", {in_form, vector_of(scale, 1), vector_of(bias, 0)}, form,
                       {{"epsilon", epsilon}});
  y = reshape_rows(graph, y, ordered.shape, row_axis);
  return graph.transpose(y, back);
}

float epsilon_of(const Layer& layer) { return static_cast<float>(layer.arguments().real("eps")); }

/// beta and gamma as a layer's inputs 1 and 2 have them: each is there unless no_bias or no_scale says
/// otherwise.
struct ScaleAndBias {
  Value scale, bias;
};

Result<ScaleAndBias> scale_and_bias(const Layer& layer) {
  const bool has_bias = !layer.arguments().boolean("no_bias");
  const bool has_scale = !layer.arguments().boolean("no_scale");
  const std::size_t wanted = 1 + (has_bias ? 1U : 0U) + (has_scale ? 1U : 0U);
  const std::vector<Value> inputs = present_inputs(layer);
  if (inputs.size() != wanted)
    return layer.refuse("it has " + std::to_string(inputs.size()) + " inputs, its arguments ask for " +
                        std::to_string(wanted));
  ScaleAndBias found;
  if (has_bias) found.bias = inputs[1];
  if (has_scale) found.scale = inputs[has_bias ? 2 : 1];
  for (const Value& value : {found.scale, found.bias}) {
    if (value.name.empty()) continue;
    const auto shape = broadcast_shapes(value.shape, layer.input(0).shape);
    if (!shape.ok()) return layer.refuse(shape.error().text);
    if (*shape != layer.input(0).shape)
      return layer.refuse("beta or gamma " + to_string(value.shape) + " is larger than the input");
  }
  return found;
}

LayerOutputs standardize_layer(Layer& layer, const std::vector<std::int64_t>& kept) {
  ASSIGN_OR_RETURN(const ScaleAndBias given, scale_and_bias(layer));
  const Value& x = layer.input(0);
  return with_statistics(layer, standardize(layer.graph, x, kept, epsilon_of(layer), given.scale, given.bias),
                         x, kept);
}

/// Statistics over all axes but `axes`.
LayerOutputs tensor_normalization(Layer& layer) {
  ASSIGN_OR_RETURN(const auto axes,
                   resolve_axes(layer, layer.arguments().integers("axes"), layer.input(0).rank()));
  return standardize_layer(layer, axes);
}

/// Statistics over all axes but `batch_axis`.
LayerOutputs layer_normalization(Layer& layer) {
  ASSIGN_OR_RETURN(const auto axes,
                   resolve_axes(layer, layer.arguments().integers("batch_axis"), layer.input(0).rank()));
  return standardize_layer(layer, axes);
}

/// Statistics over all axes but the batch axes and the channels.
LayerOutputs instance_normalization_layer(Layer& layer) {
  const std::int64_t rank = layer.input(0).rank();
  ASSIGN_OR_RETURN(auto kept, resolve_axes(layer, layer.arguments().integers("batch_axis"), rank));
  ASSIGN_OR_RETURN(const std::int64_t channel_axis,
                   resolve_axis(layer, layer.arguments().integer("channel_axis"), rank));
  kept.push_back(channel_axis);
  return standardize_layer(layer, kept);
}

/// The channels are cut into groups (an axis more), and the statistics are those of each group. The batch
/// axes count in the cut shape, as in the reference.
LayerOutputs group_normalization(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(auto kept, resolve_axes(layer, layer.arguments().integers("batch_axis"), x.rank()));
  ASSIGN_OR_RETURN(const std::int64_t axis,
                   resolve_axis(layer, layer.arguments().integer("channel_axis"), x.rank()));
  const std::int64_t groups = layer.arguments().integer("num_groups");
  const std::int64_t channels = x.shape[static_cast<std::size_t>(axis)];
  if (groups < 1 || channels % groups != 0)
    return layer.refuse(std::to_string(channels) + " channels can't be cut into " + std::to_string(groups) +
                        " groups");
  ASSIGN_OR_RETURN(const ScaleAndBias given, scale_and_bias(layer));
  Shape cut = x.shape;
  cut[static_cast<std::size_t>(axis)] = channels / groups;
  cut.insert(cut.begin() + axis, groups);
  kept.push_back(axis);
  const RowAxis row_axis = rows_before(x, axis);
  const Value cut_x = reshape_rows(graph, x, cut, row_axis);
  const Value y = standardize(graph, cut_x, kept, epsilon_of(layer), {}, {});
  return with_statistics(
      layer, scaled(graph, reshape_rows(graph, y, x.shape, row_axis), given.scale, given.bias), cut_x, kept);
}

LayerOutputs weight_standardization(Layer& layer) {
  ASSIGN_OR_RETURN(const std::int64_t axis,
                   resolve_axis(layer, layer.arguments().integer("channel_axis"), layer.input(0).rank()));
  const Value& w = layer.input(0);
  return with_statistics(layer, standardize(layer.graph, w, {axis}, epsilon_of(layer), {}, {}), w, {axis});
}

Result<std::int64_t> batch_normalization_axis(const Layer& layer) {
  const auto& axes = layer.arguments().integers("axes");
  if (axes.size() != 1)
    return layer.not_supported("it has " + std::to_string(axes.size()) +
                               " axes, the reference takes exactly one");
  return resolve_axis(layer, axes[0], layer.input(0).rank());
}

Statistics statistics_of(const Layer& layer) {
  return layer.arguments().boolean("batch_stat") ? Statistics::kOfBatch : Statistics::kOfTraining;
}

LayerOutputs batch_normalization(Layer& layer) {
  ASSIGN_OR_RETURN(const std::int64_t axis, batch_normalization_axis(layer));
  const bool has_bias = !layer.arguments().boolean("no_bias");
  const bool has_scale = !layer.arguments().boolean("no_scale");
  const std::vector<Value> inputs = present_inputs(layer);
  const std::size_t wanted = 3 + (has_bias ? 1U : 0U) + (has_scale ? 1U : 0U);
  if (inputs.size() != wanted)
    return layer.refuse("it has " + std::to_string(inputs.size()) + " inputs, its arguments ask for " +
                        std::to_string(wanted));
  BatchStatistics given{.mean = inputs[wanted - 2], .variance = inputs[wanted - 1]};
  if (has_bias) given.beta = inputs[1];
  if (has_scale) given.gamma = inputs[has_bias ? 2 : 1];
  return normalize_batch(layer, inputs[0], given, axis, statistics_of(layer));
}

/// Batch normalisation, an optional residual input, ReLU.
LayerOutputs fused_batch_normalization(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  ASSIGN_OR_RETURN(const std::int64_t axis, batch_normalization_axis(layer));
  if (layer.arguments().text("nonlinearity") != "relu")
    return layer.not_supported("its nonlinearity '" + layer.arguments().text("nonlinearity") +
                               "' is not 'relu'");
  const BatchStatistics given{
      .beta = layer.input(1), .gamma = layer.input(2), .mean = layer.input(3), .variance = layer.input(4)};
  ASSIGN_OR_RETURN(auto outputs, normalize_batch(layer, layer.input(0), given, axis, statistics_of(layer)));
  if (layer.has_input(5)) {
    const auto shape = broadcast_shapes(outputs[0].shape, layer.input(5).shape);
    if (!shape.ok() || *shape != outputs[0].shape)
      return layer.refuse("the residual input " + to_string(layer.input(5).shape) + " does not fit " +
                          to_string(outputs[0].shape));
    outputs[0] = graph.add(outputs[0], layer.input(5));
  }
  outputs[0] = graph.unary("Relu", outputs[0]);
  return outputs;
}

/// The mean of training is subtracted, after the request itself was averaged into it where
/// update_running_mean says so (for this request alone: the next one starts from the file's mean again).
LayerOutputs mean_subtraction(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t base,
                   resolve_axis(layer, layer.arguments().integer("base_axis"), x.rank()));
  if (layer.input(1).shape != Shape(x.shape.begin() + base, x.shape.end()))
    return layer.refuse("the running mean is " + to_string(layer.input(1).shape) + ", the input is " +
                        to_string(x.shape) + " with base axis " + std::to_string(base));
  if (!layer.arguments().boolean("update_running_mean"))
    return std::vector{graph.subtract(x, layer.input(1))};
  if (!layer.has_input(2) || layer.input(2).count() != 1)
    return layer.refuse("it needs one number that says how often the mean was updated");
  std::vector<std::int64_t> rows;
  for (std::int64_t axis = 0; axis < base; ++axis) rows.push_back(axis);
  const Value mean = rows.empty() ? x : graph.reduce("ReduceMean", x, rows, GraphBuilder::KeepAxes::kNo);
  const Value updates =
      graph.cast(graph.cast(graph.reshape(layer.input(2), {}), ElementType::kInt64), ElementType::kFloat32);
  const Value share = graph.divide(graph.scalar(1), graph.add(updates, graph.scalar(1)));
  const Value step = graph.multiply(graph.subtract(mean, layer.input(1)), share);
  return std::vector{graph.subtract(x, graph.add(layer.input(1), step))};
}

bool holds_rows(const Layer& layer, std::string_view list) {
  const auto& axes = layer.arguments().integers(list);
  return contains(axes, 0) || contains(axes, -layer.input(0).rank());
}
bool axes_hold_rows(const Layer& layer) { return holds_rows(layer, "axes") && others_have_no_batch(layer); }
bool batch_axis_holds_rows(const Layer& layer) {
  return holds_rows(layer, "batch_axis") && others_have_no_batch(layer);
}
/// Channels that stand on axis 0 would be the rows themselves.
bool groups_stand_behind_rows(const Layer& layer) {
  const std::int64_t axis = layer.arguments().integer("channel_axis");
  return batch_axis_holds_rows(layer) && axis != 0 && axis != -layer.input(0).rank();
}
bool statistics_are_of_training(const Layer& layer) {
  if (statistics_of(layer) == Statistics::kOfBatch) return axes_hold_rows(layer);
  return std::none_of(layer.inputs.begin() + 1,
                      layer.inputs.begin() + std::min<std::ptrdiff_t>(5, std::ssize(layer.inputs)),
                      [](const Value& value) { return value.batch; });
}
bool mean_is_of_training(const Layer& layer) {
  return !layer.arguments().boolean("update_running_mean") && rows_stand_before_base_axis(layer);
}

constexpr std::string_view kOneRequest =
    "With batch_stat the statistics are those of the request itself; running statistics are never changed.";

constexpr LayerDefinition kLayers[] = {
    {"BatchNormalization", 3, 5, Rows::kByArguments, batch_normalization, Randomness::kNone,
     statistics_are_of_training, kOneRequest},
    {"FusedBatchNormalization", 5, 6, Rows::kByArguments, fused_batch_normalization, Randomness::kNone,
     statistics_are_of_training, kOneRequest},
    {"GroupNormalization", 1, 3, Rows::kByArguments, group_normalization, Randomness::kNone,
     groups_stand_behind_rows},
    {"InstanceNormalization", 1, 3, Rows::kByArguments, instance_normalization_layer, Randomness::kNone,
     batch_axis_holds_rows},
    {"LayerNormalization", 1, 3, Rows::kByArguments, layer_normalization, Randomness::kNone,
     batch_axis_holds_rows},
    {"TensorNormalization", 1, 3, Rows::kByArguments, tensor_normalization, Randomness::kNone,
     axes_hold_rows},
    {"WeightStandardization", 1, 1, Rows::kDependent, weight_standardization},
    {"MeanSubtraction", 2, 3, Rows::kByArguments, mean_subtraction, Randomness::kNone, mean_is_of_training,
     "With update_running_mean the request is averaged into the mean for itself only, not for the next one."},
};

}  // namespace

Value standardize(GraphBuilder& graph, const Value& x, std::vector<std::int64_t> kept, float epsilon,
                  const Value& scale, const Value& bias) {
  kept = sorted_unique(std::move(kept));
  std::int64_t averaged_count = 1;
  for (const std::int64_t axis : axes_without(x.rank(), kept))
    averaged_count *= x.shape[static_cast<std::size_t>(axis)];
  // One number is its own mean: exactly nothing is left of it, whatever epsilon makes of a rounding error.
  if (averaged_count == 1) return scaled(graph, graph.subtract(x, x), scale, bias);
  const bool scale_fits = scale.name.empty() || is_per_channel(scale, x, kept);
  const bool bias_fits = bias.name.empty() || is_per_channel(bias, x, kept);
  if (scale_fits && bias_fits) return instance_normalization(graph, x, kept, epsilon, scale, bias);
  return scaled(graph, instance_normalization(graph, x, kept, epsilon, {}, {}), scale, bias);
}

std::vector<Value> with_statistics(const Layer& layer, const Value& y, const Value& x,
                                   const std::vector<std::int64_t>& kept) {
  if (layer.function.outputs.size() < 2) return {y};
  GraphBuilder& graph = layer.graph;
  const std::vector<std::int64_t> averaged = axes_without(x.rank(), kept);
  const auto mean_of = [&](const Value& value) {
    return averaged.empty() ? value
                            : graph.reduce("ReduceMean", value, averaged, GraphBuilder::KeepAxes::kYes);
  };
  const Value mean = mean_of(x);
  const Value distance = graph.subtract(x, mean);
  return {y, mean, mean_of(graph.multiply(distance, distance))};
}

namespace {

/// Scale and shift of a batch normalisation whose statistics are known, computed once and in double.
Value normalize_with_constants(GraphBuilder& graph, const Value& x, const BatchStatistics& given,
                               std::int64_t axis, float epsilon) {
  const auto count = static_cast<std::size_t>(given.mean.count());
  std::vector<float> scale(count), shift(count);
  const auto at = [](const Value& value, std::size_t i, double otherwise) {
    return value.name.empty() ? otherwise : double{value.constant->data<float>()[i]};
  };
  for (std::size_t i = 0; i < count; ++i) {
    const double factor = at(given.gamma, i, 1) / std::sqrt(at(given.variance, i, 1) + double{epsilon});
    scale[i] = static_cast<float>(factor);
    shift[i] = static_cast<float>(at(given.beta, i, 0) - at(given.mean, i, 0) * factor);
  }
  const auto channels = static_cast<std::int64_t>(count);
  if (axis == 1) {  // one pass, and a form that folds into a convolution in front of it
    const auto filled = [&](float value) {
      return graph.floats({channels}, std::vector<float>(count, value));
    };
    return graph.node(
        "BatchNormalization",
        {x, graph.floats({channels}, scale), graph.floats({channels}, shift), filled(0), filled(1)}, x.shape,
        {{"epsilon", 0.0F}});
  }
  Shape shape(x.shape.size(), 1);
  shape[static_cast<std::size_t>(axis)] = channels;
  return graph.add(graph.multiply(x, graph.floats(shape, scale)), graph.floats(shape, shift));
}

Value normalize_with_variables(GraphBuilder& graph, const Value& x, const BatchStatistics& given,
                               float epsilon) {
  const Value deviation = graph.unary("Sqrt", graph.add(given.variance, graph.scalar(epsilon)));
  const Value distance = graph.subtract(x, given.mean);
  const Value scaled_distance = given.gamma.name.empty() ? distance : graph.multiply(distance, given.gamma);
  const Value y = graph.divide(scaled_distance, deviation);
  return given.beta.name.empty() ? y : graph.add(y, given.beta);
}

}  // namespace

LayerOutputs normalize_batch(Layer& layer, const Value& x, const BatchStatistics& given, std::int64_t axis,
                             Statistics statistics) {
  Shape expected(x.shape.size(), 1);
  expected[static_cast<std::size_t>(axis)] = x.shape[static_cast<std::size_t>(axis)];
  bool all_known = true;
  for (const Value* value : {&given.beta, &given.gamma, &given.mean, &given.variance}) {
    if (value->name.empty()) continue;
    if (value->shape != expected)
      return layer.refuse("beta, gamma, mean and variance must be " + to_string(expected) + " each, one is " +
                          to_string(value->shape));
    all_known = all_known && value->constant != nullptr;
  }
  const float epsilon = epsilon_of(layer);
  if (statistics == Statistics::kOfBatch)
    return with_statistics(layer, standardize(layer.graph, x, {axis}, epsilon, given.gamma, given.beta), x,
                           {axis});
  if (all_known) return std::vector{normalize_with_constants(layer.graph, x, given, axis, epsilon)};
  return std::vector{normalize_with_variables(layer.graph, x, given, epsilon)};
}

LayerFamily normalization_layers() { return kLayers; }

}  // namespace noren::worker
