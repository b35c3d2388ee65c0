// worker/protocol/classic/vector_data.h - The data of a vector: a number or lists of numbers into a tensor.
// Used by this room only, on the worker's one thread.
#pragma once

#include "worker/protocol/classic/json.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

/// A list, nested to any shape with lists of equal length, or one number, into a tensor of the input's full
/// shape. Numbers are read as doubles and rounded to the input's type, whole numbers exactly; true and false
/// count as 1 and 0; strings that are numbers count as those. `depth` is the value's own in the body.
Result<Tensor> read_vector(const json::parser& parser, json::value value, const InputSignature& input,
                           std::size_t depth);

/// A decoded file (float32) as the input's element type: rounded and cut to its range.
Result<Tensor> convert_samples(Tensor samples, const InputSignature& input);

}  // namespace noren::worker
