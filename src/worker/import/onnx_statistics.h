// worker/import/onnx_statistics.h - Network statistics of a plain ONNX model, by the rules of the console's
// layers. Private to import. Pure.
#pragma once

#include <set>
#include <string>

#include "worker/import/graph_index.h"
#include "worker/model_file/statistics.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct OnnxStatistics {
  Statistics statistics;
  /// Types of nodes whose operations are not counted: no rule says what they cost, or their size depends on
  /// the request.
  std::set<std::string> uncounted;
};

/// Of this graph, for one sample.
OnnxStatistics onnx_statistics(onnx::GraphProto& graph, const GraphShapes& shapes,
                               const ExecutorSignature& executor);

}  // namespace noren::worker
