// worker/import/onnx_import.h - A plain ONNX model as one executor. Private to import.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "worker/model_file/onnx/onnx_file.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

/// The executor "Executor" with the graph's inputs and outputs. `input_rules`: "x=image:rgb:1/255",
/// "x=image:bgr", "x=image:rgb:1/255:mean=0.485,0.456,0.406:std=0.229,0.224,0.225". Errors name the input or
/// the rule.
Result<ExecutorSignature> signature_of_onnx(const OnnxFile& file,
                                            const std::vector<std::string>& input_rules);

}  // namespace noren::worker
