// worker/import/description.h - The description of an import as JSON. Private to import.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/model_file/network.h"
#include "worker/model_file/onnx/onnx_file.h"
#include "worker/model_file/statistics.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct Description {
  std::string format;  ///< "nnp" or "onnx"
  std::vector<NetworkOutline> networks;
  ModelSignature signature;
  std::vector<std::string> network_of_executor;
  std::vector<std::string> not_batchable_reasons;       ///< of each executor; empty: batchable, or not tried
  std::map<std::string, std::int64_t> functions_count;  ///< by type
  std::int64_t parameters_count = 0;                    ///< scalars stored
  Cost statistics;
  std::int64_t memory_bytes = 0;     ///< that a worker takes for itself once the first executor has answered
  std::vector<FunctionCost> layers;  ///< only where they are asked for
  std::vector<std::string> per_request_reasons;  ///< why not per request; empty: eligible
  std::vector<std::string> warnings;
  std::map<std::string, std::string> facts;  ///< onnx: opset, producer
  /// onnx: where an input's rule comes from, and the keys of an output that is a map.
  std::map<std::string, std::string> rule_sources;
  std::map<std::string, std::vector<std::string>> labels;
  /// onnx: outputs that are no tensors, and what they are: "sequence(map(int64,float32))".
  std::map<std::string, std::string> containers;
};

std::string to_json(const Description& description);

}  // namespace noren::worker
