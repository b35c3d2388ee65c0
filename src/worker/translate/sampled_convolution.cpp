// Layers that read their input at places which other inputs tell.
#include <algorithm>

#include "worker/translate/convolution.h"
#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

struct DeformableInputs {
  Value x, weight, offset, mask, bias;
};

/// The fourth of four inputs is the bias where it has one axis, else the mask.
DeformableInputs read_inputs(const Layer& layer) {
  const std::vector<Value> inputs = present_inputs(layer);
  DeformableInputs found{.x = inputs.at(0), .weight = inputs.at(1), .offset = inputs.at(2)};
  if (inputs.size() == 4) (inputs[3].rank() == 1 ? found.bias : found.mask) = inputs[3];
  if (inputs.size() == 5) {
    found.mask = inputs[3];
    found.bias = inputs[4];
  }
  return found;
}

/// Offsets and mask: one map as large as the input's for each place in the kernel and deformable group.
Status check_maps(const Layer& layer, const Value& maps, const Value& x, std::int64_t channels,
                  std::string_view role) {
  const Shape expected = {x.shape[0], channels, x.shape[2], x.shape[3]};
  if (maps.shape == expected) return Ok{};
  return layer.refuse("the " + std::string(role) + " is " + to_string(maps.shape) + ", it must be " +
                      to_string(expected));
}

/// The columns are made by an operator of ours, the product with the weight is a plain one.
LayerOutputs deformable_convolution(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  if (present_inputs(layer).size() < 3) return layer.refuse("it needs an input, a weight and offsets");
  const DeformableInputs in = read_inputs(layer);
  if (layer.arguments().boolean("channel_last"))
    return layer.not_supported("channel_last is not possible on CPU");
  ASSIGN_OR_RETURN(ConvolutionForm form, read_convolution(layer, in.x));
  if (in.x.rank() != 4 || form.base_axis != 1 || in.weight.rank() != 4)
    return layer.not_supported("only inputs with the axes batch, channels, height, width are possible");
  ASSIGN_OR_RETURN(const std::int64_t deformable_group, positive_argument(layer, "deformable_group"));
  const Shape& weight = in.weight.shape;
  const std::int64_t channels = in.x.shape[1], kernel_size = weight[2] * weight[3];
  if (channels % form.group != 0 || weight[0] % form.group != 0 || weight[1] != channels / form.group ||
      channels % deformable_group != 0)
    return layer.refuse("the input " + to_string(in.x.shape) + " and the weight " + to_string(weight) +
                        " with " + std::to_string(form.group) + " groups and " +
                        std::to_string(deformable_group) + " deformable groups don't fit together");
  TRY(check_maps(layer, in.offset, in.x, 2 * kernel_size * deformable_group, "offset"));
  if (!in.mask.name.empty()) TRY(check_maps(layer, in.mask, in.x, kernel_size * deformable_group, "mask"));
  if (!in.bias.name.empty() && in.bias.shape != Shape{weight[0]})
    return layer.refuse("the bias is " + to_string(in.bias.shape) + ", " + std::to_string(weight[0]) +
                        " numbers are needed");
  Window& window = form.window;
  window.kernel = {weight[2], weight[3]};
  TRY(place_windows(layer, {in.x.shape[2], in.x.shape[3]}, window));
  for (std::size_t i = 0; i < 2; ++i)
    if ((window.output[i] - 1) * window.stride[i] >= in.x.shape[i + 2])
      return layer.refuse("pad " + to_string(window.pad_begin) +
                          ": the output is larger than the map of offsets");

  const std::int64_t rows = in.x.shape[0], group = form.group, places = window.output[0] * window.output[1];
  const std::int64_t column = channels / group * kernel_size;
  TRY(check_size(layer, {rows, group, column, places}));
  std::vector<Value> inputs = {in.x, in.offset};
  if (!in.mask.name.empty()) inputs.push_back(in.mask);
  const Value columns = graph.node("noren::DeformableColumns", inputs, {rows, group, column, places},
                                   {{"kernel_shape", window.kernel},
                                    {"strides", window.stride},
                                    {"dilations", window.dilation},
                                    {"pads", window.pad_begin},
                                    {"output_shape", window.output},
                                    {"group", group},
                                    {"deformable_group", deformable_group}});
  const Value kernels = graph.reshape(in.weight, {1, group, weight[0] / group, column});
  const Value products = graph.node("MatMul", {kernels, columns}, {rows, group, weight[0] / group, places});
  const Value y = reshape_rows(graph, products, {rows, weight[0], window.output[0], window.output[1]},
                               rows_before(in.x, 1));
  if (in.bias.name.empty()) return std::vector{y};
  return std::vector{graph.add(y, graph.reshape(in.bias, {1, weight[0], 1, 1}))};
}

bool weight_has_no_batch(const Layer& layer) {
  const DeformableInputs in = read_inputs(layer);
  return !in.weight.batch && !in.bias.batch;
}

/// Each output pixel has its own vertical and horizontal kernel.
LayerOutputs adaptive_separable_convolution(Layer& layer) {
  const Shape& x = layer.input(0).shape;
  const Shape& vertical = layer.input(1).shape;
  const Shape& horizontal = layer.input(2).shape;
  if (x.size() != 4 || vertical.size() != 4 || horizontal.size() != 4)
    return layer.refuse("input and kernels must have four axes");
  const std::int64_t height = x[2] - vertical[1] + 1, width = x[3] - horizontal[1] + 1;
  if (vertical[0] != x[0] || horizontal[0] != x[0] || height < 1 || width < 1 || vertical[2] < height ||
      vertical[3] < width || horizontal[2] < height || horizontal[3] < width)
    return layer.refuse("the kernels " + to_string(vertical) + " and " + to_string(horizontal) +
                        " don't fit the input " + to_string(x));
  return std::vector{layer.graph.node("noren::AdaptiveSeparableConvolution",
                                      {layer.input(0), layer.input(1), layer.input(2)},
                                      {x[0], x[1], height, width})};
}

/// Boxes (row, x1, y1, x2, y2) cut out of the maps and brought to one size.
LayerOutputs roi_align(Layer& layer) {
  const Arguments& arguments = layer.arguments();
  const Shape& x = layer.input(0).shape;
  const Shape& boxes = layer.input(1).shape;
  if (arguments.boolean("channel_last")) return layer.not_supported("channel_last is not possible on CPU");
  if (x.size() != 4) return layer.refuse("the input " + to_string(x) + " must have four axes");
  if (boxes.size() != 2 || boxes[1] != 5)
    return layer.refuse("the boxes " + to_string(boxes) + " must have five numbers each");
  ASSIGN_OR_RETURN(const Shape size, window_argument(layer, "output_size", 2, 1, 0));
  if (size[0] < 1) return layer.refuse("output_size is missing");
  const std::vector<double>& scale = arguments.reals("spatial_scale");
  if (scale.size() != 2) return layer.refuse("spatial_scale must have two numbers");
  const Shape shape = {boxes[0], x[1], size[0], size[1]};
  TRY(check_size(layer, shape));
  return std::vector{layer.graph.node("noren::RoiAlign", {layer.input(0), layer.input(1)}, shape,
                                      {{"output_size", size},
                                       {"scale_y", static_cast<float>(scale[0])},
                                       {"scale_x", static_cast<float>(scale[1])},
                                       {"sampling_ratio", arguments.integer("sampling_ratio")}})};
}

constexpr LayerDefinition kLayers[] = {
    {"DeformableConvolution", 3, 5, Rows::kByArguments, deformable_convolution, Randomness::kNone,
     weight_has_no_batch},
    {"AdaptiveSeparableConvolution", 3, 3, Rows::kIndependent, adaptive_separable_convolution},
    {"RoiAlign", 2, 2, Rows::kDependent, roi_align},
};

}  // namespace

LayerFamily sampled_convolution_layers() { return kLayers; }

}  // namespace noren::worker
