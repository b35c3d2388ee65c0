// worker/import/onnx_statistics.h - Network statistics of a plain ONNX model, by the rules of the console's
// layers. Private to import; its one thread. Opens a session on the graph without its large weights; runs
// nothing.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/bytes.h"
#include "worker/model_file/statistics.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct OnnxStatistics {
  Statistics statistics;
  /// Types of nodes whose operations are not counted: no rule says what they cost, or their size depends on
  /// the request.
  std::set<std::string> uncounted;
};

/// Of the main graph, for one sample. Nothing where the engine can't tell its shapes.
std::optional<OnnxStatistics> onnx_statistics(ByteView onnx_model, const ExecutorSignature& executor);

}  // namespace noren::worker
