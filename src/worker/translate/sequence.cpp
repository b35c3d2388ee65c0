// Sequences of different lengths, packed step by step or padded to one length. How many steps each has must
// be a parameter: sizes depend on it.
#include <algorithm>

#include "worker/translate/array.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

/// A parameter with one axis as whole numbers from 0 to `most`.
Result<std::vector<std::int64_t>> counts_of(const Layer& layer, std::size_t input, std::string_view role,
                                            std::int64_t most) {
  ASSIGN_OR_RETURN(const auto tensor, layer.constant_input(input, role));
  if (tensor->shape().size() != 1) return layer.refuse("its " + std::string(role) + " must have one axis");
  std::vector<std::int64_t> counts;
  for (std::int64_t i = 0; i < tensor->count(); ++i) {
    const float value = tensor->data<float>()[i];
    if (!(value > -1.0F && value < static_cast<float>(most) + 1.0F))
      return layer.refuse("its " + std::string(role) + " must be from 0 to " + std::to_string(most));
    counts.push_back(static_cast<std::int64_t>(value));
  }
  return counts;
}

/// For each i from 0 on, how many of the counts are larger than i: lengths become batch sizes, and back.
std::vector<std::int64_t> transposed(const std::vector<std::int64_t>& counts, std::int64_t size) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(size), 0);
  for (const std::int64_t count : counts)
    for (std::int64_t i = 0; i < std::min(count, size); ++i) ++result[static_cast<std::size_t>(i)];
  return result;
}

Value as_floats(GraphBuilder& graph, const std::vector<std::int64_t>& values) {
  return graph.floats({static_cast<std::int64_t>(values.size())},
                      std::vector<float>(values.begin(), values.end()));
}

/// (T, B, …), or (B, T, …) with batch_first, and B lengths become all steps in a row, step by step, and the
/// size of each step. As in the reference, a step takes the first sequences: they should be sorted by length.
LayerOutputs pack_padded_sequence(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  if (x.rank() < 2) return layer.refuse("its input needs 2 axes or more");
  const bool batch_first = layer.arguments().boolean("batch_first");
  const std::int64_t steps = x.shape[batch_first ? 1 : 0], sequences = x.shape[batch_first ? 0 : 1];
  ASSIGN_OR_RETURN(const auto lengths, counts_of(layer, 1, "lengths", steps));
  if (static_cast<std::int64_t>(lengths.size()) != sequences)
    return layer.refuse("it has " + std::to_string(lengths.size()) + " lengths for " +
                        std::to_string(sequences) + " sequences");
  const std::vector<std::int64_t> sizes = transposed(lengths, steps);
  std::vector<std::int64_t> rows;
  for (std::int64_t step = 0; step < steps; ++step)
    for (std::int64_t i = 0; i < sizes[static_cast<std::size_t>(step)]; ++i)
      rows.push_back(batch_first ? i * steps + step : step * sequences + i);
  Shape shape = {static_cast<std::int64_t>(rows.size())};
  shape.insert(shape.end(), x.shape.begin() + 2, x.shape.end());
  Value flat = graph.reshape(x, {steps * sequences, x.count() / (steps * sequences)});
  flat.batch = false;
  return std::vector{graph.reshape(take(graph, flat, rows, 0), shape), as_floats(graph, sizes)};
}

/// The way back: (T, B, …) or (B, T, …) with 0 behind the end of each sequence, and the lengths. T is
/// total_length where that is more. (The reference pads with 0, whatever padding_value says.)
LayerOutputs pad_packed_sequence(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  if (x.rank() < 1) return layer.refuse("its input needs an axis");
  ASSIGN_OR_RETURN(const auto sizes, counts_of(layer, 1, "batch sizes", x.shape[0]));
  const std::int64_t sequences = *std::max_element(sizes.begin(), sizes.end());
  const auto given_steps = static_cast<std::int64_t>(sizes.size());
  const std::int64_t steps = std::max(layer.arguments().integer("total_length"), given_steps);
  const bool batch_first = layer.arguments().boolean("batch_first");
  const std::int64_t width = x.count() / x.shape[0];
  Shape shape = batch_first ? Shape{sequences, steps} : Shape{steps, sequences};
  shape.insert(shape.end(), x.shape.begin() + 1, x.shape.end());
  TRY(require_size(layer, shape));
  // Behind the packed rows stands one row of zeros: where a sequence is over, that one is taken.
  std::vector<std::int64_t> rows(static_cast<std::size_t>(steps * sequences), x.shape[0]);
  std::int64_t next = 0;
  for (std::int64_t step = 0; step < given_steps; ++step)
    for (std::int64_t i = 0; i < sizes[static_cast<std::size_t>(step)]; ++i)
      rows[static_cast<std::size_t>(batch_first ? i * steps + step : step * sequences + i)] = next++;
  if (next > x.shape[0]) return layer.refuse("its batch sizes are more than the packed steps");
  Value flat = graph.reshape(x, {x.shape[0], width});
  flat.batch = false;
  const Value zeros = graph.expand(graph.scalar(0.0F), {1, width});
  const Value padded = take(graph, graph.concatenate({flat, zeros}, 0), rows, 0);
  return std::vector{graph.reshape(padded, shape), as_floats(graph, transposed(sizes, sequences))};
}

constexpr std::string_view kNote = "the second input must be a parameter";
constexpr LayerDefinition kLayers[] = {
    {"PackPaddedSequence", 2, 2, Rows::kDependent, pack_padded_sequence, Randomness::kNone, nullptr, kNote},
    {"PadPackedSequence", 2, 2, Rows::kDependent, pad_packed_sequence, Randomness::kNone, nullptr, kNote},
};

}  // namespace

LayerFamily sequence_layers() { return kLayers; }

}  // namespace noren::worker
