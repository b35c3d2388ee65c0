// worker/engine/onnxruntime/values.h - Tensors into ONNX Runtime's values, and every kind of value back.
// Private to the engine, on the worker's one thread.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <optional>

#include "base/result.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

/// Nothing where values of this type have no form in a request or an answer.
std::optional<ElementType> element_type_of(ONNXTensorElementDataType type);

/// A view of the tensor's own memory, which must outlive it; strings are copied.
Ort::Value wrap(const Tensor& tensor, const Ort::MemoryInfo& memory);

/// A tensor as it is. A map: its values in the order of its keys. A sequence: its entries one behind the
/// other, as rows where they are of one size. An optional without a value: no elements. Errors: kUnsupported.
Result<Tensor> unwrap(const Ort::Value& value);

}  // namespace noren::worker
