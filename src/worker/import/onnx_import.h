// worker/import/onnx_import.h - A plain ONNX model as one executor. Private to import.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "worker/model_file/onnx/onnx_file.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct OnnxSignature {
  ExecutorSignature executor;
  /// Where an input's rule for pictures or sound comes from, by input; none for inputs without one.
  std::map<std::string, std::string> rule_sources;
  std::vector<std::string> warnings;
};

/// The executor "Executor" with the graph's inputs and outputs. `input_rules`: "x=image:rgb:1/255" (see
/// input_rule.h). Errors name the input or the rule.
Result<OnnxSignature> signature_of_onnx(const OnnxFile& file, const std::vector<std::string>& input_rules);

}  // namespace noren::worker
