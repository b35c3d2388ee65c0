// worker/import/onnx_rows.h - Whether several requests may run as one batch of a plain ONNX model: a walk
// over its graph that follows the batch axis. Private to import. Pure.
#pragma once

#include <string>

#include "worker/import/graph_index.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

/// Empty where every value that depends on a request keeps the requests' rows apart, along its first axis.
/// Only operators that are known to do so pass: one that is not listed refuses the model. A trial batch has
/// the last word.
std::string why_rows_depend(onnx::ModelProto& model, const GraphShapes& shapes,
                            const ExecutorSignature& executor);

}  // namespace noren::worker
