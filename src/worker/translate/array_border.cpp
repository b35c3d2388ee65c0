// Layers that look past the border of an array: padding and shifting.
#include <algorithm>
#include <cstdlib>

#include "worker/translate/array.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

struct Padding {
  std::vector<std::int64_t> before, after;  ///< for each axis
  Shape shape;                              ///< padded
};

/// The numbers of pad_width are pairs for the last axes.
Result<Padding> padding_of(const Layer& layer, const Value& x) {
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> widths, small_integers(layer, "pad_width"));
  if (widths.size() % 2 != 0 || widths.size() > 2 * x.shape.size())
    return layer.refuse("pad_width must hold two numbers an axis");
  if (std::any_of(widths.begin(), widths.end(), [](std::int64_t width) { return width < 0; }))
    return layer.refuse("pad_width must not be negative");
  Padding padding{std::vector<std::int64_t>(x.shape.size(), 0), std::vector<std::int64_t>(x.shape.size(), 0),
                  x.shape};
  const std::size_t first = x.shape.size() - widths.size() / 2;
  for (std::size_t axis = first; axis < x.shape.size(); ++axis) {
    padding.before[axis] = widths[2 * (axis - first)];
    padding.after[axis] = widths[2 * (axis - first) + 1];
    padding.shape[axis] += padding.before[axis] + padding.after[axis];
  }
  TRY(require_size(layer, padding.shape));
  return padding;
}

/// ONNX's Pad on all axes at once.
Value pad_with(GraphBuilder& graph, const Value& x, const Padding& padding, const char* mode,
               const Value& fill = {}) {
  if (padding.shape == x.shape) return x;
  std::vector<std::int64_t> widths = padding.before;
  widths.insert(widths.end(), padding.after.begin(), padding.after.end());
  std::vector<Value> inputs = {x, graph.integers(widths)};
  if (!fill.name.empty()) inputs.push_back(fill);
  return graph.node("Pad", inputs, padding.shape, {{"mode", mode}});
}

/// Bounces between the first and the last element as often as it takes; the border itself is not repeated.
std::int64_t bounced(std::int64_t position, std::int64_t length) {
  const std::int64_t turn = length - 1;
  if (turn == 0) return 0;
  const std::int64_t distance = std::abs(position);
  const std::int64_t rest = distance % turn;
  return (distance / turn) % 2 == 0 ? rest : turn - rest;
}

/// ONNX's Pad reflects once. Axes that bounce more often are gathered, position by position.
Value pad_reflected(GraphBuilder& graph, Value x, Padding padding) {
  for (std::size_t axis = 0; axis < x.shape.size(); ++axis) {
    const std::int64_t length = x.shape[axis];
    if (std::max(padding.before[axis], padding.after[axis]) < length) continue;
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < padding.shape[axis]; ++i)
      positions.push_back(bounced(i - padding.before[axis], length));
    x = take(graph, x, positions, static_cast<std::int64_t>(axis));
    padding.before[axis] = padding.after[axis] = 0;
  }
  return pad_with(graph, x, padding, "reflect");
}

LayerOutputs pad(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const Padding padding, padding_of(layer, x));
  const std::string& mode = layer.arguments().text("mode");
  if (mode == "constant")
    return std::vector{
        pad_with(layer.graph, x, padding, "constant", scalar_argument(layer, "constant_value"))};
  if (mode == "repeat") return std::vector{pad_with(layer.graph, x, padding, "edge")};
  if (mode == "reflect") return std::vector{pad_reflected(layer.graph, x, padding)};
  return layer.refuse("its mode is '" + mode + "', not one of constant, repeat, reflect");
}

/// Where the element at `position` comes from after a shift that repeats the border.
std::int64_t shifted(std::int64_t position, std::int64_t shift, std::int64_t length) {
  return std::clamp<std::int64_t>(position - shift, 0, length - 1);
}

/// The same where the array is mirrored, its border too. Shifts beyond two lengths are mirrored at 0 once
/// more, as in the reference.
std::int64_t shifted_in_mirror(std::int64_t position, std::int64_t shift, std::int64_t length) {
  const std::int64_t place = std::abs(position + 2 * length - shift) % (2 * length);
  return place < length ? place : 2 * length - 1 - place;
}

LayerOutputs shift(Layer& layer) {
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> shifts, small_integers(layer, "shifts"));
  const auto source = layer.arguments().text("border_mode") == "reflect" ? shifted_in_mirror : shifted;
  Value x = layer.input(0);
  for (std::size_t back = 1; back <= std::min(shifts.size(), x.shape.size()); ++back) {
    const std::size_t axis = x.shape.size() - back;
    const std::int64_t length = x.shape[axis], distance = shifts[shifts.size() - back];
    if (length == 1 || distance == 0) continue;
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < length; ++i) positions.push_back(source(i, distance, length));
    x = take(layer.graph, x, positions, static_cast<std::int64_t>(axis));
  }
  return std::vector{x};
}

constexpr LayerDefinition kLayers[] = {
    {"Pad", 1, 1, Rows::kIndependent, pad},
    {"Shift", 1, 1, Rows::kIndependent, shift},
};

}  // namespace

LayerFamily array_border_layers() { return kLayers; }

}  // namespace noren::worker
