// worker/translate/shapes.h - Shapes: sizes that are checked, and axes in front of a layer's own that become
// one. A layer with a base axis treats everything before it as rows. ONNX's operators want one such axis;
// where it is the batch times something, it stays free in the graph although its length here (batch 1) is
// not 1. Private to this folder.
#pragma once

#include "worker/translate/layer.h"

namespace noren::worker {

/// The product of the lengths of axes [begin, end).
std::int64_t product(const Shape& shape, std::int64_t begin, std::int64_t end);
std::int64_t product(const Shape& shape);

/// Refuses what has too many elements, before anything of that size is made or written down.
Status check_size(const Layer& layer, const Shape& shape);

/// x as (rows, the axes from `axis` on); rows is 1 where axis is 0. Only `split_leading` may read the rows'
/// axis.
Value merge_leading(GraphBuilder& graph, const Value& x, std::int64_t axis);
/// The reverse: y's axis 0 becomes the axes of `like` before `axis`.
Value split_leading(GraphBuilder& graph, const Value& y, const Value& like, std::int64_t axis);

/// Whether axis 0 of a reshaped value is left to be inferred: more requests at once make more rows.
enum class RowAxis : std::uint8_t { kFixed, kFree };
/// Free where x has a batch axis and `axis` stands behind it.
RowAxis rows_before(const Value& x, std::int64_t axis);
/// Same elements in another shape.
Value reshape_rows(GraphBuilder& graph, const Value& x, const Shape& shape, RowAxis rows);

/// True where only the first of a layer's inputs has a batch axis: the others are the same for every row.
bool others_have_no_batch(const Layer& layer);
/// The same, and the argument base_axis is behind axis 0.
bool rows_stand_before_base_axis(const Layer& layer);

/// The inputs that are there, in order: for layers that tell optional inputs by their number.
std::vector<Value> present_inputs(const Layer& layer);

}  // namespace noren::worker
