// Arrays put together, taken apart, repeated and seen in another shape. Nothing is computed here.
#include <algorithm>
#include <limits>

#include "base/limits.h"
#include "worker/translate/array.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kSliceNone =
    std::numeric_limits<std::int32_t>::max();  // "not given", in start, stop and step
constexpr std::int64_t kBeforeFirst = std::numeric_limits<std::int64_t>::min() + 1;

/// The reference also writes the second input into the variable that the first is; here nothing outlives a
/// request.
LayerOutputs assign(Layer& layer) {
  TRY(require_same_shapes(layer));
  return std::vector{layer.input(1)};
}

LayerOutputs concatenate(Layer& layer) {
  const Value& first = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis,
                   resolve_axis(layer, layer.arguments().integer("axis"), first.rank()));
  const auto along = static_cast<std::size_t>(axis);
  std::vector<Value> values;
  for (const Value& input : layer.inputs) {
    bool fits = input.rank() == first.rank();
    for (std::size_t i = 0; fits && i < input.shape.size(); ++i)
      fits = i == along || input.shape[i] == first.shape[i];
    if (!fits)
      return layer.refuse("inputs " + to_string(first.shape) + " and " + to_string(input.shape) +
                          " can't be put side by side along axis " + std::to_string(axis));
    values.push_back(input);
  }
  share_batch(layer.graph, values, axis);
  return std::vector{layer.graph.concatenate(values, axis)};
}

/// Each position along the axis is an output of its own.
LayerOutputs split(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  Shape part = x.shape;
  const std::int64_t count = std::exchange(part[static_cast<std::size_t>(axis)], 1);
  if (count != static_cast<std::int64_t>(layer.function.outputs.size()))
    return layer.refuse("axis " + std::to_string(axis) + " has " + std::to_string(count) + " positions for " +
                        std::to_string(layer.function.outputs.size()) + " outputs");
  Shape shape = x.shape;
  shape.erase(shape.begin() + axis);
  if (count == 1) return std::vector{layer.graph.reshape(x, shape)};
  const std::vector<Shape> parts(static_cast<std::size_t>(count), part);
  std::vector<Value> outputs;
  for (Value& value : layer.graph.nodes("Split", {x}, parts, {{"axis", axis}, {"num_outputs", count}}))
    outputs.push_back(layer.graph.reshape(value, shape));
  return outputs;
}

LayerOutputs stack(Layer& layer) {
  TRY(require_same_shapes(layer));
  Shape shape = layer.input(0).shape;
  ASSIGN_OR_RETURN(const std::int64_t axis,
                   resolve_axis(layer, layer.arguments().integer("axis"), layer.input(0).rank() + 1));
  shape.insert(shape.begin() + axis, 1);
  std::vector<Value> values;
  for (const Value& input : layer.inputs) values.push_back(layer.graph.reshape(input, shape));
  share_batch(layer.graph, values, axis);
  return std::vector{layer.graph.concatenate(values, axis)};
}

/// What a slice takes along one axis.
struct Span {
  std::int64_t first = 0, count = 0, step = 1;
};

/// The reference's rule: negative positions count from the end once, a stop past the end is the end (forwards
/// only).
Span span_of(std::int64_t start, std::int64_t stop, std::int64_t step, std::int64_t length) {
  if (step == kSliceNone) step = 1;
  if (start < 0) start += length;
  if (stop < 0) stop += length;
  if (start == kSliceNone) start = step > 0 ? 0 : length - 1;
  if (stop == kSliceNone) stop = step > 0 ? length : -1;
  if (step > 0) stop = std::min(stop, length);
  const std::int64_t distance = step > 0 ? stop - start : start - stop;
  return {start, distance <= 0 ? 0 : (distance - 1) / std::abs(step) + 1, step};
}

LayerOutputs slice(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const auto start, small_integers(layer, "start"));
  ASSIGN_OR_RETURN(const auto stop, small_integers(layer, "stop"));
  ASSIGN_OR_RETURN(const auto step, small_integers(layer, "step"));
  if (stop.size() != start.size() || step.size() != start.size())
    return layer.refuse("start, stop and step must be equally long");
  if (start.size() > x.shape.size()) return layer.refuse("start has more numbers than the input has axes");
  std::vector<std::int64_t> starts, stops, axes, steps;
  for (std::size_t i = 0; i < start.size(); ++i) {
    const std::size_t axis = x.shape.size() - start.size() + i;
    const std::int64_t length = x.shape[axis];
    if (step[i] == 0) return layer.refuse("step must not be 0");
    const Span span = span_of(start[i], stop[i], step[i], length);
    const std::int64_t last = span.first + (span.count - 1) * span.step;
    if (span.count == 0 || std::min(span.first, last) < 0 || std::max(span.first, last) >= length)
      return layer.refuse("it takes nothing, or more than there is, along axis " + std::to_string(axis));
    if (span.count == length && span.step == 1) continue;
    starts.push_back(span.first);
    stops.push_back(span.step > 0 ? last + 1 : last == 0 ? kBeforeFirst : last - 1);
    axes.push_back(static_cast<std::int64_t>(axis));
    steps.push_back(span.step);
  }
  if (axes.empty()) return std::vector{x};
  return std::vector{layer.graph.slice(x, starts, stops, axes, steps)};
}

LayerOutputs flip(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(std::vector<std::int64_t> axes,
                   resolve_axes(layer, layer.arguments().integers("axes"), x.rank()));
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  std::erase_if(axes, [&](std::int64_t axis) { return x.shape[static_cast<std::size_t>(axis)] == 1; });
  if (axes.empty()) return std::vector{x};
  const std::size_t count = axes.size();
  return std::vector{layer.graph.slice(x, std::vector<std::int64_t>(count, -1),
                                       std::vector<std::int64_t>(count, kBeforeFirst), axes,
                                       std::vector<std::int64_t>(count, -1))};
}

LayerOutputs transpose(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes,
                   resolve_axes(layer, layer.arguments().integers("axes"), x.rank()));
  std::vector<std::int64_t> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  if (axes.size() != x.shape.size() || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return layer.refuse("axes must list each of the " + std::to_string(x.rank()) + " axes once");
  return std::vector{layer.graph.transpose(x, axes)};
}

LayerOutputs broadcast(Layer& layer) {
  const Value& x = layer.input(0);
  const Shape& shape = layer.arguments().shape("shape");
  TRY(require_size(layer, shape));
  const auto fitted = broadcast_shapes(x.shape, shape);
  if (!fitted.ok() || *fitted != shape)
    return layer.refuse("an input of " + to_string(x.shape) + " can't be spread to " + to_string(shape));
  return std::vector{layer.graph.expand(with_rank(layer.graph, x, shape.size()), shape)};
}

/// The second input in the shape of the first, its first axis at `axis` (its last at the last, where axis is
/// < 0).
LayerOutputs broadcast_to(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value& y = layer.input(1);
  const std::int64_t given = layer.arguments().integer("axis");
  const std::int64_t axis = given < 0 ? x.rank() - y.rank() : given;
  const bool fits = axis >= 0 && axis <= x.rank() - y.rank() &&
                    std::equal(y.shape.begin(), y.shape.end(), x.shape.begin() + axis);
  if (!fits)
    return layer.refuse("an input of " + to_string(y.shape) + " can't be spread to " + to_string(x.shape) +
                        " from axis " + std::to_string(axis) + " on");
  Shape shape(x.shape.size(), 1);
  std::copy(y.shape.begin(), y.shape.end(), shape.begin() + axis);
  return std::vector{graph.with_batch_of(graph.expand(graph.reshape(y, shape), x.shape), x)};
}

LayerOutputs tile(Layer& layer) {
  ASSIGN_OR_RETURN(std::vector<std::int64_t> reps, small_integers(layer, "reps"));
  if (std::any_of(reps.begin(), reps.end(), [](std::int64_t count) { return count < 1; }))
    return layer.refuse("reps must be 1 or more");
  const Value x = with_rank(layer.graph, layer.input(0), reps.size());
  reps.insert(reps.begin(), x.shape.size() - reps.size(), 1);
  Shape shape = x.shape;
  for (std::size_t i = 0; i < shape.size(); ++i) shape[i] *= reps[i];
  TRY(require_size(layer, shape));
  if (shape == x.shape) return std::vector{x};
  return std::vector{layer.graph.node("Tile", {x, layer.graph.integers(reps)}, shape)};
}

LayerOutputs reshape(Layer& layer) {
  const Value& x = layer.input(0);
  Shape shape = layer.arguments().shape("shape");
  Shape known = shape;
  std::erase_if(known, [](std::int64_t length) { return length < 0; });
  const auto count = checked_element_count(known);
  if (!count.ok()) return layer.refuse(count.error().text);
  if (shape.size() - known.size() > 1) return layer.refuse("its shape leaves more than one axis open");
  for (std::int64_t& length : shape)
    if (length < 0) length = *count == 0 ? 0 : x.count() / *count;
  if (element_count(shape) != x.count())
    return layer.refuse("an input of " + to_string(x.shape) + " can't become " + to_string(shape));
  return std::vector{layer.graph.reshape(x, shape)};
}

/// The lengths of the axes from start to end, as numbers; a batch counts as 1.
LayerOutputs shape_of(Layer& layer) {
  const Value& x = layer.input(0);
  const auto position = [&](std::int64_t given) {
    return given < 0 ? given + x.rank() : std::min(given, x.rank());
  };
  const std::int64_t start = position(layer.arguments().integer("start"));
  const std::int64_t end = layer.arguments().integer("end");
  const std::int64_t stop = end == 0 ? x.rank() : position(end);
  if (start < 0 || stop <= start) return layer.refuse("there are no axes between its start and its end");
  std::vector<float> lengths;
  for (std::int64_t axis = start; axis < stop; ++axis)
    lengths.push_back(static_cast<float>(x.shape[static_cast<std::size_t>(axis)]));
  return std::vector{layer.graph.floats({stop - start}, std::move(lengths))};
}

/// Each input along an axis of its own, spread over the others. "xy" indexing exchanges the first two axes.
LayerOutputs meshgrid(Layer& layer) {
  const std::size_t count = layer.inputs.size();
  const bool exchange = !layer.arguments().boolean("ij_indexing") && count > 1;
  const auto axis_of = [&](std::size_t input) { return exchange && input < 2 ? 1 - input : input; };
  Shape grid(count, 1);
  for (std::size_t i = 0; i < count; ++i) {
    if (layer.input(i).rank() != 1) return layer.refuse("its inputs must have one axis");
    grid[axis_of(i)] = layer.input(i).shape[0];
  }
  TRY(require_size(layer, grid));
  std::vector<Value> outputs;
  for (std::size_t i = 0; i < count; ++i) {
    Shape shape(count, 1);
    shape[axis_of(i)] = grid[axis_of(i)];
    outputs.push_back(layer.graph.expand(layer.graph.reshape(layer.input(i), shape), grid));
  }
  return outputs;
}

constexpr Rows kRows = Rows::kIndependent;  // where axis 0 takes part, the outputs have no batch axis
constexpr LayerDefinition kLayers[] = {
    {"Concatenate", 1, kAnyInputs, kRows, concatenate},
    {"Split", 1, 1, kRows, split},
    {"Stack", 1, kAnyInputs, kRows, stack},
    {"Slice", 1, 1, kRows, slice},
    {"Flip", 1, 1, kRows, flip},
    {"Transpose", 1, 1, kRows, transpose},
    {"Broadcast", 1, 1, kRows, broadcast},
    {"BroadcastTo", 2, 2, kRows, broadcast_to},
    {"Tile", 1, 1, kRows, tile},
    {"Reshape", 1, 1, kRows, reshape},
    {"Shape", 1, 1, kRows, shape_of, Randomness::kNone, nullptr, "the batch axis counts as 1"},
    {"Assign", 2, 2, kRows, assign, Randomness::kNone, nullptr,
     "gives its second input; the first stays as it is"},
    {"Meshgrid", 1, kAnyInputs, kRows, meshgrid},
};

}  // namespace

Result<std::vector<std::int64_t>> small_integers(const Layer& layer, std::string_view name) {
  const std::vector<std::int64_t>& values = layer.arguments().integers(name);
  for (const std::int64_t value : values)
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
      return layer.refuse(std::string(name) + " is out of range");
  return values;
}

Status require_size(const Layer& layer, const Shape& shape) {
  if (shape.size() > limits::kRankCount)
    return layer.refuse("its output has " + std::to_string(shape.size()) + " axes, at most " +
                        std::to_string(limits::kRankCount) + " are possible");
  const auto count = checked_element_count(shape);
  if (!count.ok()) return layer.refuse(count.error().text);
  if (*count == 0) return layer.refuse("its output " + to_string(shape) + " holds nothing");
  return Ok{};
}

void share_batch(GraphBuilder& graph, std::vector<Value>& values, std::int64_t axis) {
  const auto like =
      std::find_if(values.begin(), values.end(), [](const Value& value) { return value.batch; });
  if (axis == 0 || like == values.end()) return;
  const Value rows = *like;
  for (Value& value : values) value = graph.with_batch_of(value, rows);
}

Value with_rank(GraphBuilder& graph, const Value& x, std::size_t rank) {
  Shape shape = x.shape;
  if (shape.size() < rank) shape.insert(shape.begin(), rank - shape.size(), 1);
  return graph.reshape(x, shape);
}

Value take(GraphBuilder& graph, const Value& x, const std::vector<std::int64_t>& positions,
           std::int64_t axis) {
  Shape shape = x.shape;
  shape.at(static_cast<std::size_t>(axis)) = static_cast<std::int64_t>(positions.size());
  Value result = graph.node("Gather", {x, graph.integers(positions)}, shape, {{"axis", axis}}, x.type);
  result.batch = x.batch && axis != 0;
  return result;
}

LayerFamily array_layers() { return kLayers; }

}  // namespace noren::worker
