// worker/translate/translate.h - An executor of an NNP file becomes an ONNX model.
// Called by import, inside its worker. Pure: network in, bytes out; nothing is run here.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/model_file/network.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct TranslatedExecutor {
  ExecutorSignature signature;
  Bytes model;  ///< ONNX, opset 21
  std::vector<std::string> warnings;
  /// Why requests can't share a run; empty where they may.
  std::string not_batchable_reason;
  /// The shape of every variable of the executor's network (batch 1), as inferred: statistics need them.
  std::unordered_map<std::string, Shape> shapes;
  /// The same of every value in the model, by its name there.
  std::unordered_map<std::string, Shape> graph_shapes;
};

/// Errors name the layer: "layer 'conv1' (Convolution): …".
Result<TranslatedExecutor> translate_executor(const ModelFile& file, const Executor& executor);

}  // namespace noren::worker
