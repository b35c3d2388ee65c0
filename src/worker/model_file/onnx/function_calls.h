// worker/model_file/onnx/function_calls.h - What a model's own functions unfold to. Private to onnx. Pure.
#pragma once

#include <onnx/onnx_pb.h>

#include "base/result.h"

namespace noren::worker {

/// The engine writes functions out at every call, so that a small file can ask for a graph without end. An
/// error where functions call each other in a circle, too deeply, or unfold to too many nodes.
Status check_function_calls(const onnx::ModelProto& model);

}  // namespace noren::worker
