#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

/// Row x of w, for each number in x (cut to a whole one).
LayerOutputs embed(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const Value& w = layer.input(1);
  if (w.rank() < 1) return layer.refuse("the weight has no rows");
  Shape shape = x.shape;
  shape.insert(shape.end(), w.shape.begin() + 1, w.shape.end());
  TRY(check_size(layer, shape));
  return std::vector{graph.node("Gather", {w, graph.cast(x, ElementType::kInt64)}, shape, {{"axis", 0}})};
}

constexpr LayerDefinition kLayers[] = {
    {"Embed", 2, 2, Rows::kByArguments, embed, Randomness::kNone, others_have_no_batch,
     "A number outside of the table is an error; the reference reads whatever lies there."},
};

}  // namespace

LayerFamily embed_layers() { return kLayers; }

}  // namespace noren::worker
