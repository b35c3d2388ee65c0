#include <algorithm>
#include <cmath>

#include "worker/translate/families.h"
#include "worker/translate/shapes.h"
#include "worker/translate/window.h"

namespace noren::worker {
namespace {

/// The arguments of a pooling and what they make of the input.
struct Pooling {
  Window window;
  Value x;                         ///< (rows, maps, spatial…), whatever axes the input has in front
  Shape input;                     ///< the spatial axes
  Shape output_shape;              ///< of the layer
  std::vector<std::int64_t> back;  ///< from (…, maps, spatial…) to the layer's own order; empty: the same

  Shape pooled_shape() const {
    Shape shape = {x.shape[0], x.shape[1]};
    shape.insert(shape.end(), window.output.begin(), window.output.end());
    return shape;
  }
};

/// Windows at the left edge that reach into the map no more than the padding is wide hold nothing of it.
bool some_window_is_empty(const Window& window) {
  for (std::size_t i = 0; i < window.kernel.size(); ++i)
    if (window.pad_begin[i] >= window.kernel[i]) return true;
  return false;
}

/// out = (L + pad - (ignore_border ? kernel - pad : 1)) / stride + 1, divided towards zero.
Status place_poolings(const Layer& layer, Pooling& pooling) {
  Window& window = pooling.window;
  const bool ignore_border = layer.arguments().boolean("ignore_border");
  for (std::size_t i = 0; i < pooling.input.size(); ++i) {
    const std::int64_t length = pooling.input[i], pad = window.pad_begin[i], kernel = window.kernel[i];
    const std::int64_t places = (length + pad - (ignore_border ? kernel - pad : 1)) / window.stride[i] + 1;
    if (places < 1)
      return layer.refuse("kernel " + to_string(window.kernel) + " with pad " + to_string(window.pad_begin) +
                          " is larger than the input " + to_string(pooling.input));
    const std::int64_t start = (places - 1) * window.stride[i] - pad;
    if (start >= length)
      return layer.refuse("pad " + to_string(window.pad_begin) + ": some windows lie behind the input " +
                          to_string(pooling.input));
    window.output.push_back(places);
    // The padding that the last window needs; less or more than `pad`.
    window.pad_end.push_back(std::max<std::int64_t>(start + kernel - length, 0));
  }
  return Ok{};
}

Result<Pooling> read_pooling(const Layer& layer) {
  const Arguments& arguments = layer.arguments();
  GraphBuilder& graph = layer.graph;
  Pooling pooling;
  const std::size_t count = arguments.integers("kernel").size();
  if (count < 2 || count > 3) return layer.not_supported("only kernels of 2 and 3 axes are possible");
  ASSIGN_OR_RETURN(pooling.window.kernel, window_argument(layer, "kernel", count, 1, 1));
  TRY(check_size(layer, pooling.window.kernel));
  pooling.window.stride = pooling.window.kernel;
  if (arguments.has("stride")) {
    ASSIGN_OR_RETURN(pooling.window.stride, window_argument(layer, "stride", count, 1, 1));
  }
  ASSIGN_OR_RETURN(pooling.window.pad_begin, window_argument(layer, "pad", count, 0, 0));
  pooling.window.dilation.assign(count, 1);

  Value x = layer.input(0);
  const auto axes_count = static_cast<std::int64_t>(count);
  const bool channel_last = arguments.boolean("channel_last");
  if (x.rank() < axes_count + (channel_last ? 1 : 0))
    return layer.refuse("the input " + to_string(x.shape) + " has fewer axes than the kernel");
  if (channel_last) {
    std::vector<std::int64_t> order;
    for (std::int64_t axis = 0; axis < x.rank(); ++axis) order.push_back(axis);
    pooling.back = order;
    const auto first = x.rank() - axes_count - 1;
    std::rotate(order.begin() + first, order.end() - 1, order.end());
    std::rotate(pooling.back.begin() + first, pooling.back.begin() + first + 1, pooling.back.end());
    x = graph.transpose(x, order);
  }
  const std::int64_t leading = x.rank() - axes_count;
  pooling.input.assign(x.shape.begin() + leading, x.shape.end());
  TRY(place_poolings(layer, pooling));
  pooling.output_shape.assign(x.shape.begin(), x.shape.begin() + leading);
  pooling.output_shape.insert(pooling.output_shape.end(), pooling.window.output.begin(),
                              pooling.window.output.end());
  TRY(check_size(layer, pooling.output_shape));

  Shape form = {leading > 0 ? x.shape[0] : 1, leading > 1 ? product(x.shape, 1, leading) : 1};
  form.insert(form.end(), pooling.input.begin(), pooling.input.end());
  pooling.x = reshape_rows(graph, x, form, rows_before(x, leading));
  return pooling;
}

/// The pooled maps in the layer's own shape.
LayerOutputs finish(const Layer& layer, const Pooling& pooling, Value y) {
  GraphBuilder& graph = layer.graph;
  y = reshape_rows(graph, y, pooling.output_shape, rows_before(pooling.x, 1));
  return std::vector{pooling.back.empty() ? y : graph.transpose(y, pooling.back)};
}

/// Zeros all around, as wide as the windows reach: behind it no window is partly outside.
Result<Value> padded(const Layer& layer, const Pooling& pooling) {
  Shape shape = pooling.x.shape;
  std::vector<std::int64_t> begin(2, 0), end(2, 0);
  for (std::size_t i = 0; i < pooling.input.size(); ++i) {
    shape[i + 2] += pooling.window.pad_begin[i] + pooling.window.pad_end[i];
    begin.push_back(pooling.window.pad_begin[i]);
    end.push_back(pooling.window.pad_end[i]);
  }
  TRY(check_size(layer, shape));
  begin.insert(begin.end(), end.begin(), end.end());
  return layer.graph.node("Pad", {pooling.x, layer.graph.integers(begin)}, shape);
}

/// Averages over whole kernels, with zeros outside the map.
Result<Value> average_over_kernels(const Layer& layer, const Pooling& pooling) {
  const Window& window = pooling.window;
  if (!some_window_is_empty(window))
    return layer.graph.node("AveragePool", {pooling.x}, pooling.pooled_shape(),
                            {{"kernel_shape", window.kernel},
                             {"strides", window.stride},
                             {"pads", window.pads()},
                             {"count_include_pad", 1}});
  ASSIGN_OR_RETURN(const Value x, padded(layer, pooling));
  return layer.graph.node("AveragePool", {x}, pooling.pooled_shape(),
                          {{"kernel_shape", window.kernel}, {"strides", window.stride}});
}

LayerOutputs sum_pooling(Layer& layer) {
  ASSIGN_OR_RETURN(const Pooling pooling, read_pooling(layer));
  ASSIGN_OR_RETURN(const Value average, average_over_kernels(layer, pooling));
  const auto size = static_cast<float>(product(pooling.window.kernel));
  return finish(layer, pooling, layer.graph.multiply(average, layer.graph.scalar(size)));
}

/// What the reference divides by at each place along one axis, as numbers: the window cut to the padded map,
/// or to the map itself (then it may be 0 or less where a window lies in the padding alone).
std::vector<std::int64_t> window_lengths(const Pooling& pooling, std::size_t axis, bool including_pad) {
  const Window& window = pooling.window;
  std::vector<std::int64_t> lengths;
  for (std::int64_t place = 0; place < window.output[axis]; ++place) {
    std::int64_t start = place * window.stride[axis] - window.pad_begin[axis];
    std::int64_t stop = std::min(start + window.kernel[axis], pooling.input[axis] + window.pad_begin[axis]);
    if (!including_pad) {
      start = std::max<std::int64_t>(start, 0);
      stop = std::min(stop, pooling.input[axis]);
    }
    lengths.push_back(stop - start);
  }
  return lengths;
}

/// y, an average over whole kernels, by kernel length / what the reference divides by, axis for axis.
Value with_window_factors(GraphBuilder& graph, Value y, const Pooling& pooling, bool including_pad) {
  for (std::size_t axis = 0; axis < pooling.input.size(); ++axis) {
    const auto kernel = static_cast<float>(pooling.window.kernel[axis]);
    std::vector<float> factors;
    for (const std::int64_t length : window_lengths(pooling, axis, including_pad))
      factors.push_back(kernel / static_cast<float>(length));
    if (std::all_of(factors.begin(), factors.end(), [](float factor) { return factor == 1; })) continue;
    Shape shape(y.shape.size(), 1);
    shape[axis + 2] = pooling.window.output[axis];
    y = graph.multiply(y, graph.floats(shape, std::move(factors)));
  }
  return y;
}

LayerOutputs average_pooling(Layer& layer) {
  ASSIGN_OR_RETURN(const Pooling pooling, read_pooling(layer));
  const Window& window = pooling.window;
  const bool including_pad = layer.arguments().boolean("including_pad");
  const bool all_windows_are_whole =
      std::equal(window.pad_end.begin(), window.pad_end.end(), window.pad_begin.begin(), std::less_equal<>());
  if (including_pad && all_windows_are_whole) {
    ASSIGN_OR_RETURN(const Value y, average_over_kernels(layer, pooling));
    return finish(layer, pooling, y);
  }
  if (!including_pad && !some_window_is_empty(window))
    return finish(layer, pooling,
                  layer.graph.node("AveragePool", {pooling.x}, pooling.pooled_shape(),
                                   {{"kernel_shape", window.kernel},
                                    {"strides", window.stride},
                                    {"pads", window.pads()},
                                    {"count_include_pad", 0}}));
  ASSIGN_OR_RETURN(const Value y, average_over_kernels(layer, pooling));
  return finish(layer, pooling, with_window_factors(layer.graph, y, pooling, including_pad));
}

/// The padding never wins. A window that lies in the padding alone takes the first element at that edge.
LayerOutputs max_pooling(Layer& layer) {
  ASSIGN_OR_RETURN(Pooling pooling, read_pooling(layer));
  GraphBuilder& graph = layer.graph;
  const Window& window = pooling.window;
  const std::string_view op = some_window_is_empty(window) ? "noren::MaxPooling" : "MaxPool";
  return finish(
      layer, pooling,
      graph.node(op, {pooling.x}, pooling.pooled_shape(),
                 {{"kernel_shape", window.kernel}, {"strides", window.stride}, {"pads", window.pads()}}));
}

/// The mean over axes 2 and 3. The reference reads an input of more axes as if it ended there.
LayerOutputs global_average_pooling(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  Value x = layer.input(0);
  if (x.rank() < 2) return layer.refuse("the input " + to_string(x.shape) + " has no channels");
  const std::int64_t map = product(x.shape, 2, std::min<std::int64_t>(x.rank(), 4));
  const std::int64_t rows = x.shape[0], channels = x.shape[1];
  if (x.rank() > 4)
    x = graph.slice(reshape_rows(graph, x, {1, x.count()}, rows_before(x, 1)), {0}, {rows * channels * map},
                    {1}, {1});
  const Shape form = {rows, channels, map, 1};
  const Value maps = reshape_rows(graph, x, form, rows_before(x, 1));
  return std::vector{graph.node("GlobalAveragePool", {maps}, {rows, channels, 1, 1})};
}

/// Every element of the last axes is repeated `kernel` times.
LayerOutputs unpooling(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const std::size_t count = layer.arguments().integers("kernel").size();
  const bool channel_last = layer.arguments().boolean("channel_last");
  const std::size_t behind = channel_last ? 1 : 0;
  if (count + behind > x.shape.size())
    return layer.refuse("the input " + to_string(x.shape) + " has fewer axes than the kernel");
  ASSIGN_OR_RETURN(const Shape kernel, window_argument(layer, "kernel", count, 1, 1));
  Shape shape = x.shape;
  std::vector<float> scales(x.shape.size(), 1);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t axis = x.shape.size() - behind - count + i;
    shape[axis] *= kernel[i];
    scales[axis] = static_cast<float>(kernel[i]);
  }
  TRY(check_size(layer, shape));
  if (shape == x.shape) return std::vector{x};
  const auto rank = static_cast<std::int64_t>(scales.size());
  return std::vector{graph.node(
      "Resize", {x, Value{}, graph.floats({rank}, scales)}, shape,
      {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}})};
}

bool kernel_stands_behind_rows(const Layer& layer) {
  const std::int64_t behind = layer.arguments().boolean("channel_last") ? 1 : 0;
  return layer.input(0).rank() > std::ssize(layer.arguments().integers("kernel")) + behind;
}

constexpr LayerDefinition kLayers[] = {
    {"MaxPooling", 1, 1, Rows::kByArguments, max_pooling, Randomness::kNone, kernel_stands_behind_rows,
     "nan never wins; a window of nothing but -infinity gives the smallest float."},
    {"AveragePooling", 1, 1, Rows::kByArguments, average_pooling, Randomness::kNone,
     kernel_stands_behind_rows},
    {"SumPooling", 1, 1, Rows::kByArguments, sum_pooling, Randomness::kNone, kernel_stands_behind_rows},
    {"GlobalAveragePooling", 1, 1, Rows::kIndependent, global_average_pooling},
    {"Unpooling", 1, 1, Rows::kByArguments, unpooling, Randomness::kNone, kernel_stands_behind_rows},
};

}  // namespace

LayerFamily pooling_layers() { return kLayers; }

}  // namespace noren::worker
