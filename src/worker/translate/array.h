// worker/translate/array.h - What the layers that move elements around share. Private to this folder.
#pragma once

#include "worker/translate/elementwise.h"

namespace noren::worker {

/// A list argument whose numbers fit in 32 bits, as the reference takes them: sums of them don't overflow.
Result<std::vector<std::int64_t>> small_integers(const Layer& layer, std::string_view name);

/// The shape holds something, and not more than a tensor may.
Status require_size(const Layer& layer, const Shape& shape);

/// Values that are joined along `axis`: those without a batch axis are repeated for each row of those that
/// have one.
void share_batch(GraphBuilder& graph, std::vector<Value>& values, std::int64_t axis);

/// x with as many axes as asked for: axes of length 1 are put in front of its own.
Value with_rank(GraphBuilder& graph, const Value& x, std::size_t rank);

/// The elements at these positions along an axis, in this order.
Value take(GraphBuilder& graph, const Value& x, const std::vector<std::int64_t>& positions,
           std::int64_t axis);

}  // namespace noren::worker
