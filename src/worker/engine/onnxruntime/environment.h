// worker/engine/onnxruntime/environment.h - ONNX Runtime's one environment and our operators' domain.
// Private to the engine. Made before the zygote forks; children share it copy-on-write.
#pragma once

#include <onnxruntime_cxx_api.h>

namespace noren::worker {

/// Throws Ort::Exception where ONNX Runtime can't start.
Ort::Env& onnxruntime_environment();
/// The domain "noren" with all operators; lives as long as the process.
OrtCustomOpDomain* operator_domain();

}  // namespace noren::worker
