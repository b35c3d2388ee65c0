// worker/translate/rearrange.h - The elements of a tensor in another order, as recurrent layers need their
// weights. Private to this folder.
#pragma once

#include "worker/translate/layer.h"

namespace noren::worker {

/// A value of this shape whose element i is x's element source(i). Done here where x is known, else by the
/// graph.
template <typename Source>
Value rearrange(GraphBuilder& graph, const Value& x, const Shape& shape, Source source) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  if (x.constant != nullptr) {
    std::vector<float> values(count);
    const float* from = x.constant->data<float>();
    for (std::size_t i = 0; i < count; ++i) values[i] = from[source(static_cast<std::int64_t>(i))];
    return graph.floats(shape, std::move(values));
  }
  Tensor indices(ElementType::kInt64, shape);
  for (std::size_t i = 0; i < count; ++i)
    indices.data<std::int64_t>()[i] = source(static_cast<std::int64_t>(i));
  Value flat = graph.node("Reshape", {x, graph.integers({-1})}, {x.count()});
  Value y = graph.node("Gather", {flat, graph.constant(std::move(indices))}, shape, {{"axis", 0}});
  y.batch = false;
  return y;
}

}  // namespace noren::worker
