// Layers that choose elements by index or by mask. Indices are floats in a network from a file and are cut to
// whole numbers, as in the reference; one that is out of range is refused, at import where it is a parameter,
// else by the run. Masks are true wherever they are not 0.
#include <algorithm>

#include "worker/translate/array.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

enum class Negative : std::uint8_t { kRefused, kFromEnd };

/// Indices as int64, each in [0, counts[row]): rows are equal parts of the indices, one for each count.
Result<Value> indices_of(Layer& layer, const Value& raw, const std::vector<std::int64_t>& counts,
                         Negative negative) {
  GraphBuilder& graph = layer.graph;
  if (raw.constant == nullptr) {
    const Attributes attributes = {{"counts", counts},
                                   {"from_end", negative == Negative::kFromEnd ? 1 : 0},
                                   {"layer", layer.function.name}};
    return graph.cast(graph.node("noren::Indices", {raw}, raw.shape, attributes), ElementType::kInt64);
  }
  Tensor tensor(ElementType::kInt64, raw.shape);
  const std::int64_t row_count = raw.count() / static_cast<std::int64_t>(counts.size());
  for (std::int64_t i = 0; i < raw.count(); ++i) {
    const double given = raw.constant->data<float>()[i];
    const std::int64_t count = counts[static_cast<std::size_t>(i / row_count)];
    const auto end = static_cast<double>(count);
    if (!(given > (negative == Negative::kFromEnd ? -end - 1.0 : -1.0) && given < end))
      return layer.refuse("index " + std::to_string(given) + " is not within an axis of " +
                          std::to_string(count));
    const auto index = static_cast<std::int64_t>(given);
    tensor.data<std::int64_t>()[i] = index < 0 ? index + count : index;
  }
  return graph.constant(std::move(tensor));
}

/// GatherND over the first `batch_dims` axes, which both have, with the gathered axis moved behind them.
Value gather_within(GraphBuilder& graph, const Value& x, const Value& indices, std::int64_t axis,
                    std::int64_t batch_dims) {
  std::vector<std::int64_t> order, back;
  for (std::int64_t i = 0; i < x.rank(); ++i) order.push_back(i);
  std::rotate(order.begin() + batch_dims, order.begin() + axis, order.begin() + axis + 1);
  Shape single = indices.shape;
  single.push_back(1);
  const Value moved = graph.transpose(x, order);
  Shape shape = indices.shape;
  shape.insert(shape.end(), moved.shape.begin() + batch_dims + 1, moved.shape.end());
  const Value gathered = graph.node("GatherND", {moved, graph.reshape(indices, single)}, shape,
                                    {{"batch_dims", batch_dims}}, x.type);
  // Now: batch axes, axes of the indices, axes before `axis`, the rest.
  const std::int64_t own = indices.rank() - batch_dims, before = axis - batch_dims;
  for (std::int64_t i = 0; i < gathered.rank(); ++i) back.push_back(i);
  std::rotate(back.begin() + batch_dims, back.begin() + batch_dims + own,
              back.begin() + batch_dims + own + before);
  return graph.transpose(gathered, back);
}

LayerOutputs gather(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  Value x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  const std::int64_t batch_dims = layer.arguments().integer("batch_dims");
  const Shape& index_shape = layer.input(1).shape;
  if (batch_dims < 0 || batch_dims > axis || batch_dims > layer.input(1).rank() ||
      !std::equal(index_shape.begin(), index_shape.begin() + batch_dims, x.shape.begin()))
    return layer.refuse("its inputs " + to_string(x.shape) + " and " + to_string(index_shape) +
                        " don't share " + std::to_string(batch_dims) + " first axes before axis " +
                        std::to_string(axis));
  const std::int64_t length = x.shape[static_cast<std::size_t>(axis)];
  ASSIGN_OR_RETURN(Value indices, indices_of(layer, layer.input(1), {length}, Negative::kRefused));
  Shape shape(x.shape.begin(), x.shape.begin() + axis);
  shape.insert(shape.end(), index_shape.begin() + batch_dims, index_shape.end());
  shape.insert(shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  TRY(require_size(layer, shape));
  // Where both have rows of their own, each row is gathered by its own indices.
  const bool by_rows = batch_dims == 0 && axis > 0 && x.batch && indices.batch && indices.rank() > 0;
  if (by_rows || batch_dims > 0) {
    const std::int64_t shared = std::max<std::int64_t>(batch_dims, 1);
    const Value rows = indices;
    indices = graph.with_batch_of(indices, x);
    x = graph.with_batch_of(x, rows);
    return std::vector{graph.reshape(gather_within(graph, x, indices, axis, shared), shape)};
  }
  Value result = graph.node("Gather", {x, indices}, shape, {{"axis", axis}}, x.type);
  result.batch = axis > 0 ? x.batch : indices.batch && !x.batch && indices.rank() > 0;
  return std::vector{result};
}

/// Row m of the indices holds positions along axis m.
LayerOutputs gather_nd(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value& raw = layer.input(1);
  if (raw.rank() < 2 || raw.shape[0] > x.rank())
    return layer.refuse("its indices are " + to_string(raw.shape) +
                        ": 2 axes or more are needed, and at most " + std::to_string(x.rank()) + " rows");
  const std::int64_t depth = raw.shape[0];
  ASSIGN_OR_RETURN(const Value indices,
                   indices_of(layer, raw, {x.shape.begin(), x.shape.begin() + depth}, Negative::kFromEnd));
  std::vector<std::int64_t> order;
  for (std::int64_t axis = 1; axis < raw.rank(); ++axis) order.push_back(axis);
  order.push_back(0);
  Shape shape(raw.shape.begin() + 1, raw.shape.end());
  shape.insert(shape.end(), x.shape.begin() + depth, x.shape.end());
  TRY(require_size(layer, shape));
  return std::vector{graph.node("GatherND", {x, graph.transpose(indices, order)}, shape)};
}

/// Elements of x at flat positions, in a new shape.
Value take_flat(GraphBuilder& graph, const Value& x, const Shape& rows,
                const std::vector<std::int64_t>& positions, const Shape& shape) {
  Value flat = graph.reshape(x, rows);
  flat.batch = false;
  return graph.reshape(take(graph, flat, positions, 0), shape);
}

/// The rows where the mask is set, its other axes made one. The reference counts the rows by the sum of the
/// mask.
LayerOutputs bool_gather(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const auto mask, layer.constant_input(1, "mask"));
  const Shape& masked = mask->shape();
  if (masked.size() > x.shape.size() || !std::equal(masked.begin(), masked.end(), x.shape.begin()))
    return layer.refuse("its mask is " + to_string(masked) + ", which are not the first axes of " +
                        to_string(x.shape));
  std::vector<std::int64_t> positions;
  float sum = 0;
  for (std::int64_t i = 0; i < mask->count(); ++i) {
    sum += mask->data<float>()[i];
    if (mask->data<float>()[i] != 0.0F) positions.push_back(i);
  }
  if (!(sum >= 1.0F)) return layer.refuse("its mask chooses nothing");
  const auto count = static_cast<std::size_t>(std::min(sum, static_cast<float>(mask->count())));
  if (count > positions.size()) return layer.refuse("its mask must hold 0 and 1 only");
  positions.resize(count);
  const std::int64_t width = x.count() / mask->count();
  Shape shape = {static_cast<std::int64_t>(count)};
  if (x.shape.size() > masked.size()) shape.push_back(width);
  return std::vector{take_flat(layer.graph, x, {mask->count(), width}, positions, shape)};
}

LayerOutputs bool_scatter(Layer& layer) {
  const Value& data = layer.input(0);
  const Value& mask = layer.input(1);
  if (data.rank() == 0) return layer.refuse("its data must have rows");
  Shape shape = mask.shape;
  shape.insert(shape.end(), data.shape.begin() + 1, data.shape.end());
  TRY(require_size(layer, shape));
  if (layer.has_input(2) && layer.input(2).shape != shape)
    return layer.refuse("its third input is " + to_string(layer.input(2).shape) + ", " + to_string(shape) +
                        " is needed");
  return std::vector{layer.graph.node("noren::BoolScatter", layer.inputs, shape)};
}

/// value where the mask, spread over the data, is set.
LayerOutputs bool_fill(Layer& layer) {
  const Value& data = layer.input(0);
  const Value& mask = layer.input(1);
  const auto fitted = broadcast_shapes(data.shape, mask.shape);
  if (!fitted.ok() || *fitted != data.shape)
    return layer.refuse("a mask of " + to_string(mask.shape) + " can't be spread to " +
                        to_string(data.shape));
  GraphBuilder& graph = layer.graph;
  const Value condition = truth(graph, with_rank(graph, mask, data.shape.size()));
  return std::vector{choose(graph, condition, scalar_argument(layer, "value"), data)};
}

/// Rows of the data, written to (or added up at) the positions that the rows of the indices name.
LayerOutputs scatter_nd(Layer& layer) {
  const Value& data = layer.input(0);
  const Value& indices = layer.input(1);
  const Shape& shape = layer.arguments().shape("shape");
  TRY(require_size(layer, shape));
  const std::int64_t rank = static_cast<std::int64_t>(shape.size());
  if (indices.rank() < 2 || indices.shape[0] > rank) return layer.refuse("its indices don't fit its shape");
  const std::int64_t depth = indices.shape[0];
  Shape needed(indices.shape.begin() + 1, indices.shape.end());
  needed.insert(needed.end(), shape.begin() + depth, shape.end());
  if (data.shape != needed)
    return layer.refuse("its data is " + to_string(data.shape) + ", " + to_string(needed) + " is needed");
  if (layer.has_input(2) && layer.input(2).shape != shape)
    return layer.refuse("its third input is " + to_string(layer.input(2).shape) + ", " + to_string(shape) +
                        " is needed");
  return std::vector{layer.graph.node(
      "noren::ScatterNd", layer.inputs, shape,
      {{"shape", shape}, {"add", layer.arguments().boolean("add") ? 1 : 0}, {"layer", layer.function.name}})};
}

LayerOutputs scatter_add(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  const Shape& places = layer.input(1).shape;
  const Shape& added = layer.input(2).shape;
  bool fits = places.size() == x.shape.size() && added.size() == x.shape.size();
  for (std::size_t i = 0; fits && i < places.size(); ++i)
    fits = places[i] <= added[i] && (places[i] <= x.shape[i] || i == static_cast<std::size_t>(axis));
  if (!fits)
    return layer.refuse("its indices " + to_string(places) + " must fit in " + to_string(x.shape) +
                        " and in " + to_string(added));
  std::vector<Value> inputs = layer.inputs;
  share_batch(layer.graph, inputs, axis);
  return std::vector{layer.graph.node("noren::ScatterAdd", inputs, x.shape,
                                      {{"axis", axis}, {"layer", layer.function.name}})};
}

/// The last axis holds one class for each number of `shape`. A class that does not exist leaves the row at 0.
LayerOutputs one_hot(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Shape& classes = layer.arguments().shape("shape");
  if (x.rank() == 0 || static_cast<std::int64_t>(classes.size()) != x.shape.back())
    return layer.refuse("its shape has " + std::to_string(classes.size()) + " numbers for an input of " +
                        to_string(x.shape));
  const Shape lead(x.shape.begin(), x.shape.end() - 1);
  Shape whole = lead;
  whole.insert(whole.end(), classes.begin(), classes.end());
  TRY(require_size(layer, whole));
  Shape single = x.shape;
  single.back() = 1;
  const Value index = graph.cast(x, ElementType::kInt64), values = graph.floats({2}, {0.0F, 1.0F});
  Value result;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    const Value part =
        classes.size() == 1 ? index : graph.slice(index, {place}, {place + 1}, {x.rank() - 1}, {1});
    Shape hot = single, spread = lead;
    hot.push_back(classes[i]);
    spread.resize(lead.size() + classes.size(), 1);
    spread[lead.size() + i] = classes[i];
    const Value one = graph.reshape(
        graph.node("OneHot", {part, graph.integer(classes[i]), values}, hot, {{"axis", -1}}), spread);
    result = i == 0 ? one : graph.multiply(result, one);
  }
  return std::vector{result};
}

LayerOutputs sort(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t axis, resolve_axis(layer, layer.arguments().integer("axis"), x.rank()));
  const Arguments& arguments = layer.arguments();
  const bool only_index = arguments.boolean("only_index"),
             both = !only_index && arguments.boolean("with_index");
  const std::vector<Shape> shapes(both ? 2 : 1, x.shape);
  return layer.graph.nodes("noren::Sort", {x}, shapes,
                           {{"axis", axis},
                            {"reverse", arguments.boolean("reverse") ? 1 : 0},
                            {"only_index", only_index ? 1 : 0}});
}

/// The positions of what is not 0: one row an axis.
LayerOutputs non_zero(Layer& layer) {
  ASSIGN_OR_RETURN(const auto x, layer.constant_input(0, "input"));
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < x->count(); ++i)
    if (x->data<float>()[i] != 0.0F) found.push_back(i);
  const auto rank = static_cast<std::int64_t>(x->shape().size()),
             count = static_cast<std::int64_t>(found.size());
  TRY(require_size(layer, {rank, count}));
  std::vector<float> positions(static_cast<std::size_t>(rank * count));
  std::int64_t stride = 1;
  for (std::int64_t axis = rank - 1; axis >= 0; --axis) {
    const std::int64_t length = x->shape()[static_cast<std::size_t>(axis)];
    for (std::int64_t i = 0; i < count; ++i)
      positions[static_cast<std::size_t>(axis * count + i)] =
          static_cast<float>(found[static_cast<std::size_t>(i)] / stride % length);
    stride *= length;
  }
  return std::vector{layer.graph.floats({rank, count}, std::move(positions))};
}

constexpr Rows kNever = Rows::kDependent;
constexpr Rows kByAxis = Rows::kByArguments;
constexpr Randomness kNone = Randomness::kNone;
constexpr LayerDefinition kLayers[] = {
    {"Gather", 2, 2, Rows::kIndependent, gather},
    {"GatherNd", 2, 2, kNever, gather_nd},
    {"BoolGather", 2, 2, kNever, bool_gather, kNone, nullptr, "the mask must be a parameter"},
    {"BoolScatter", 2, 3, kNever, bool_scatter},
    {"BoolFill", 2, 2, Rows::kIndependent, bool_fill},
    {"ScatterNd", 2, 3, kNever, scatter_nd},
    {"ScatterAdd", 3, 3, kByAxis, scatter_add, kNone, axis_is_behind_batch},
    {"OneHot", 1, 1, Rows::kIndependent, one_hot},
    {"Sort", 1, 1, kByAxis, sort, kNone, axis_is_behind_batch},
    {"NonZero", 1, 1, kNever, non_zero, kNone, nullptr, "the input must be a parameter"},
};

}  // namespace

LayerFamily indexing_layers() { return kLayers; }

}  // namespace noren::worker
