#include "worker/translate/convolution.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

std::vector<std::int64_t> axes_up_to(std::int64_t rank) {
  std::vector<std::int64_t> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), std::int64_t{0});
  return axes;
}

/// Moves the last axis to `axis`.
Value last_to(GraphBuilder& graph, const Value& x, std::int64_t axis) {
  auto axes = axes_up_to(x.rank());
  std::rotate(axes.begin() + axis, axes.end() - 1, axes.end());
  return graph.transpose(x, axes);
}

/// Moves `axis` behind all others.
Value to_last(GraphBuilder& graph, const Value& x, std::int64_t axis) {
  auto axes = axes_up_to(x.rank());
  std::rotate(axes.begin() + axis, axes.begin() + axis + 1, axes.end());
  return graph.transpose(x, axes);
}

Status check_bias(const Layer& layer, const Value& bias, std::int64_t outputs) {
  if (bias.name.empty() || (bias.rank() == 1 && bias.count() == outputs)) return Ok{};
  return layer.refuse("the bias is " + to_string(bias.shape) + ", " + std::to_string(outputs) +
                      " numbers are needed");
}

Status check_weight(const Layer& layer, const ConvolutionForm& form, const Value& weight,
                    std::int64_t channels) {
  if (weight.rank() != static_cast<std::int64_t>(form.spatial_axes_count) + 2)
    return layer.refuse("the weight " + to_string(weight.shape) + " does not fit " +
                        std::to_string(form.spatial_axes_count) + " spatial axes");
  if (weight.shape[1] > channels || weight.shape[1] * form.group != channels)
    return layer.refuse("the input has " + std::to_string(channels) + " channels, the weight " +
                        to_string(weight.shape) + " wants " + std::to_string(weight.shape[1]) +
                        " in each of " + std::to_string(form.group) + " groups");
  if (weight.shape[0] % form.group != 0)
    return layer.refuse("the weight's " + std::to_string(weight.shape[0]) + " outputs can't be shared by " +
                        std::to_string(form.group) + " groups");
  return Ok{};
}

/// (rows, channels, output places…)
Shape output_shape(const Value& rows, std::int64_t channels, const Window& window) {
  Shape shape = {rows.shape[0], channels};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  return shape;
}

/// The spatial axes of x, which stand behind base axis and channels.
Shape spatial_shape(const Value& x, std::int64_t base_axis) {
  return Shape(x.shape.begin() + base_axis + 1, x.shape.end());
}

std::vector<Value> operands_of(const Value& x, const Value& weight, const Value& bias) {
  std::vector<Value> operands = {x, weight};
  if (!bias.name.empty()) operands.push_back(bias);
  return operands;
}

LayerOutputs convolution(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const ConvolutionForm form, read_convolution(layer, x));
  ASSIGN_OR_RETURN(const Value y,
                   convolve(layer, form, x, layer.input(1), layer.has_input(2) ? layer.input(2) : Value{}));
  return std::vector{y};
}

/// A kernel of its own for each channel, `multiplier` of them: as many groups as channels.
LayerOutputs depthwise_convolution(Layer& layer) {
  const Value& x = layer.input(0);
  const Value& weight = layer.input(1);
  ASSIGN_OR_RETURN(ConvolutionForm form, read_convolution(layer, x));
  ASSIGN_OR_RETURN(const std::int64_t multiplier, positive_argument(layer, "multiplier"));
  const std::int64_t channels = x.shape[static_cast<std::size_t>(form.base_axis)];
  if (weight.rank() < 1 || weight.shape[0] / multiplier != channels || weight.shape[0] % multiplier != 0)
    return layer.refuse("the input has " + std::to_string(channels) + " channels, the weight is " +
                        to_string(weight.shape) + " with " + std::to_string(multiplier) +
                        " for each channel");
  form.group = channels;
  Shape grouped = weight.shape;
  grouped.insert(grouped.begin() + 1, 1);
  ASSIGN_OR_RETURN(const Value y, convolve(layer, form, x, layer.graph.reshape(weight, grouped),
                                           layer.has_input(2) ? layer.input(2) : Value{}));
  return std::vector{y};
}

/// The transposed convolution. weight: (channels of x, outputs / group, kernel…).
Result<Value> deconvolve(Layer& layer, ConvolutionForm form, const Value& x, const Value& weight,
                         const Value& bias, const Shape& output_padding) {
  const std::int64_t base = form.base_axis;
  const std::int64_t channels = x.shape[static_cast<std::size_t>(base)];
  if (weight.rank() != static_cast<std::int64_t>(form.spatial_axes_count) + 2 ||
      weight.shape[0] != channels || channels % form.group != 0)
    return layer.refuse("the input " + to_string(x.shape) + " and the weight " + to_string(weight.shape) +
                        " with " + std::to_string(form.group) + " groups don't fit together");
  const std::int64_t outputs = weight.shape[1] * form.group;
  TRY(check_bias(layer, bias, outputs));
  Window& window = form.window;
  window.kernel.assign(weight.shape.begin() + 2, weight.shape.end());
  const Shape input = spatial_shape(x, base);
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (output_padding[i] >= window.stride[i])
      return layer.refuse("output_padding " + to_string(output_padding) + " must be smaller than stride " +
                          to_string(window.stride));
    const std::int64_t length = window.stride[i] * (input[i] - 1) +
                                window.dilation[i] * (window.kernel[i] - 1) + 1 - window.pad_begin[i] -
                                window.pad_end[i] + output_padding[i];
    if (length < 1)
      return layer.refuse("pad " + to_string(window.pad_begin) + " leaves nothing of the output");
    window.output.push_back(length);
  }
  const Value rows = merge_leading(layer.graph, x, base);
  const Shape shape = output_shape(rows, outputs, window);
  TRY(check_size(layer, shape));
  const Value y = layer.graph.node("ConvTranspose", operands_of(rows, weight, bias), shape,
                                   {{"strides", window.stride},
                                    {"dilations", window.dilation},
                                    {"pads", window.pads()},
                                    {"output_padding", output_padding},
                                    {"kernel_shape", window.kernel},
                                    {"group", form.group}});
  return split_leading(layer.graph, y, x, base);
}

LayerOutputs deconvolution(Layer& layer) {
  Value x = layer.input(0);
  Value weight = layer.input(1);
  const Value bias = layer.has_input(2) ? layer.input(2) : Value{};
  ASSIGN_OR_RETURN(const ConvolutionForm form, read_convolution(layer, x));
  ASSIGN_OR_RETURN(const Shape output_padding,
                   window_argument(layer, "output_padding", form.spatial_axes_count, 0, 0));
  if (!form.channel_last) {
    ASSIGN_OR_RETURN(const Value y, deconvolve(layer, form, x, weight, bias, output_padding));
    return std::vector{y};
  }
  if (weight.rank() < 2) return layer.refuse("the weight " + to_string(weight.shape) + " has no kernel");
  ASSIGN_OR_RETURN(const Value y, deconvolve(layer, form, last_to(layer.graph, x, form.base_axis),
                                             last_to(layer.graph, weight, 1), bias, output_padding));
  return std::vector{to_last(layer.graph, y, form.base_axis)};
}

/// A kernel of its own for each channel, and the sum of each `divisor` neighbours; channels left over are not
/// used.
LayerOutputs depthwise_deconvolution(Layer& layer) {
  const Value& x = layer.input(0);
  const Value& weight = layer.input(1);
  ASSIGN_OR_RETURN(ConvolutionForm form, read_convolution(layer, x));
  ASSIGN_OR_RETURN(const std::int64_t divisor, positive_argument(layer, "divisor"));
  const std::int64_t channels = x.shape[static_cast<std::size_t>(form.base_axis)];
  const std::int64_t outputs = channels / divisor;
  if (weight.rank() < 1 || weight.shape[0] != channels || outputs < 1)
    return layer.refuse("the input has " + std::to_string(channels) + " channels, the weight is " +
                        to_string(weight.shape) + ", and each " + std::to_string(divisor) +
                        " make one output");
  form.group = outputs;
  const std::int64_t used = outputs * divisor;
  const auto cut = [&](const Value& value, std::int64_t axis) {
    return used == channels ? value : layer.graph.slice(value, {0}, {used}, {axis}, {1});
  };
  Shape grouped = weight.shape;
  grouped[0] = used;
  grouped.insert(grouped.begin() + 1, 1);
  const Value kernels = layer.graph.reshape(cut(weight, 0), grouped);
  ASSIGN_OR_RETURN(const Value y, deconvolve(layer, form, cut(x, form.base_axis), kernels,
                                             layer.has_input(2) ? layer.input(2) : Value{},
                                             Shape(form.spatial_axes_count, 0)));
  return std::vector{y};
}

constexpr LayerDefinition kLayers[] = {
    {"Convolution", 2, 3, Rows::kByArguments, convolution, Randomness::kNone, rows_stand_before_base_axis},
    {"DepthwiseConvolution", 2, 3, Rows::kByArguments, depthwise_convolution, Randomness::kNone,
     rows_stand_before_base_axis},
    {"Deconvolution", 2, 3, Rows::kByArguments, deconvolution, Randomness::kNone,
     rows_stand_before_base_axis},
    {"DepthwiseDeconvolution", 2, 3, Rows::kByArguments, depthwise_deconvolution, Randomness::kNone,
     rows_stand_before_base_axis},
};

}  // namespace

Result<ConvolutionForm> read_convolution(const Layer& layer, const Value& x) {
  ASSIGN_OR_RETURN(ConvolutionForm form, read_convolution_without_pad(layer, x));
  ASSIGN_OR_RETURN(form.window.pad_begin, window_argument(layer, "pad", form.spatial_axes_count, 0, 0));
  form.window.pad_end = form.window.pad_begin;
  return form;
}

Result<ConvolutionForm> read_convolution_without_pad(const Layer& layer, const Value& x) {
  const Arguments& arguments = layer.arguments();
  ConvolutionForm form;
  ASSIGN_OR_RETURN(form.base_axis, resolve_axis(layer, arguments.integer("base_axis"), x.rank()));
  form.spatial_axes_count = static_cast<std::size_t>(x.rank() - form.base_axis - 1);
  if (form.spatial_axes_count < 1)
    return layer.refuse("the input " + to_string(x.shape) +
                        " has no spatial axis behind the channels at axis " + std::to_string(form.base_axis));
  ASSIGN_OR_RETURN(form.window.stride, window_argument(layer, "stride", form.spatial_axes_count, 1, 1));
  ASSIGN_OR_RETURN(form.window.dilation, window_argument(layer, "dilation", form.spatial_axes_count, 1, 1));
  if (arguments.defines("group")) {
    ASSIGN_OR_RETURN(form.group, positive_argument(layer, "group"));
  }
  form.channel_last = arguments.defines("channel_last") && arguments.boolean("channel_last");
  return form;
}

Result<Value> convolve(Layer& layer, const ConvolutionForm& given, const Value& given_x,
                       const Value& given_weight, const Value& bias) {
  ConvolutionForm form = given;
  const std::int64_t base = form.base_axis;
  if (form.channel_last && given_weight.rank() < 2)
    return layer.refuse("the weight " + to_string(given_weight.shape) + " has no kernel");
  const Value x = form.channel_last ? last_to(layer.graph, given_x, base) : given_x;
  const Value weight = form.channel_last ? last_to(layer.graph, given_weight, 1) : given_weight;

  TRY(check_weight(layer, form, weight, x.shape[static_cast<std::size_t>(base)]));
  TRY(check_bias(layer, bias, weight.shape[0]));
  Window& window = form.window;
  window.kernel.assign(weight.shape.begin() + 2, weight.shape.end());
  TRY(place_windows(layer, spatial_shape(x, base), window));
  const Value rows = merge_leading(layer.graph, x, base);
  const Shape shape = output_shape(rows, weight.shape[0], window);
  TRY(check_size(layer, shape));
  const Value y = layer.graph.node("Conv", operands_of(rows, weight, bias), shape,
                                   {{"strides", window.stride},
                                    {"dilations", window.dilation},
                                    {"pads", window.pads()},
                                    {"kernel_shape", window.kernel},
                                    {"group", form.group}});
  const Value split = split_leading(layer.graph, y, x, base);
  return form.channel_last ? to_last(layer.graph, split, base) : split;
}

LayerFamily convolution_layers() { return kLayers; }

}  // namespace noren::worker
