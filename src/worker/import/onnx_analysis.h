// worker/import/onnx_analysis.h - What the graph of a plain ONNX model tells beyond its signature:
// statistics, and whether requests may run as one batch. Private to import; its one thread. Opens a session
// on the graph without its large weights, to learn its shapes: the engine computes what is constant in it,
// and no request.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "worker/import/onnx_statistics.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct OnnxAnalysis {
  std::optional<OnnxStatistics> statistics;  ///< nothing where the engine can't tell the graph's shapes
  std::string not_batchable_reason;          ///< empty: a trial may show that rows are independent
};

OnnxAnalysis analyse_onnx(ByteView onnx_model, const ExecutorSignature& executor);

}  // namespace noren::worker
