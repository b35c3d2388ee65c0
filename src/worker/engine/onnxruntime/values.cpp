#include "worker/engine/onnxruntime/values.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"

namespace noren::worker {
namespace {

struct TypePair {
  ElementType ours;
  ONNXTensorElementDataType theirs;
};
constexpr TypePair kTypes[] = {
    {ElementType::kFloat32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
    {ElementType::kFloat64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE},
    {ElementType::kInt8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8},
    {ElementType::kInt16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16},
    {ElementType::kInt32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {ElementType::kInt64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {ElementType::kUint8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {ElementType::kUint16, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16},
    {ElementType::kUint32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32},
    {ElementType::kUint64, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64},
    {ElementType::kBool, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL},
    {ElementType::kString, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING},
    {ElementType::kFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {ElementType::kBfloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16},
};

ONNXTensorElementDataType theirs(ElementType type) {
  for (const TypePair& pair : kTypes)
    if (pair.ours == type) return pair.theirs;
  CHECK(false);
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

Result<Tensor> unwrap_tensor(const Ort::ConstValue& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto type = element_type_of(info.GetElementType());
  if (!type) return unsupported("the model gives an output of an element type that has no form in an answer");
  const Shape shape = info.GetShape();
  TRY(checked_element_count(shape));
  Tensor tensor(*type, shape);
  if (*type != ElementType::kString) {
    if (tensor.size_bytes() > 0) std::memcpy(tensor.raw(), value.GetTensorRawData(), tensor.size_bytes());
    return tensor;
  }
  for (std::size_t i = 0; i < tensor.strings().size(); ++i)
    tensor.strings()[i] = value.GetStringTensorElement(i);
  return tensor;
}

/// A map's values in the order of its keys.
Result<Tensor> unwrap_map(const Ort::Value& value) {
  Ort::AllocatorWithDefaultOptions allocator;
  ASSIGN_OR_RETURN(Tensor values, unwrap(value.GetValue(1, allocator)));
  values.reshape({values.count()});
  return values;
}

/// The entries' elements one behind the other.
Tensor joined(std::vector<Tensor>& entries, Shape shape) {
  Tensor all(entries.front().type(), std::move(shape));
  std::size_t place = 0;
  for (Tensor& entry : entries) {
    if (all.type() == ElementType::kString) {
      std::move(entry.strings().begin(), entry.strings().end(),
                all.strings().begin() + static_cast<std::ptrdiff_t>(place));
      place += entry.strings().size();
    } else if (entry.size_bytes() > 0) {
      std::memcpy(all.raw() + place, entry.raw(), entry.size_bytes());
      place += entry.size_bytes();
    }
  }
  return all;
}

Result<Tensor> unwrap_sequence(const Ort::Value& value) {
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<Tensor> entries;
  std::int64_t count = 0;
  bool are_rows = true;
  for (std::size_t i = 0; i < value.GetCount(); ++i) {
    ASSIGN_OR_RETURN(Tensor entry, unwrap(value.GetValue(static_cast<int>(i), allocator)));
    if (entry.count() > limits::kTensorElementsCount - count)
      return make_error(Code::kTooLarge, "the model gives a sequence of too many values");
    count += entry.count();
    entries.push_back(std::move(entry));
    are_rows = are_rows && entries.back().count() == entries.front().count();
  }
  if (entries.empty()) return Tensor(ElementType::kFloat32, {0});
  const auto entries_count = static_cast<std::int64_t>(entries.size());
  return joined(entries, are_rows ? Shape{entries_count, entries.front().count()} : Shape{count});
}

}  // namespace

std::optional<ElementType> element_type_of(ONNXTensorElementDataType type) {
  for (const TypePair& pair : kTypes)
    if (pair.theirs == type) return pair.ours;
  return std::nullopt;
}

Ort::Value wrap(const Tensor& tensor, const Ort::MemoryInfo& memory) {
  if (tensor.type() == ElementType::kString) {
    Ort::AllocatorWithDefaultOptions allocator;
    Ort::Value value = Ort::Value::CreateTensor(allocator, tensor.shape().data(), tensor.shape().size(),
                                                ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
    for (std::size_t i = 0; i < tensor.strings().size(); ++i) {
      const std::string& text = tensor.strings()[i];
      std::copy(text.begin(), text.end(), value.GetResizedStringTensorElementBuffer(i, text.size()));
    }
    return value;
  }
  return Ort::Value::CreateTensor(memory, const_cast<std::uint8_t*>(tensor.raw()), tensor.size_bytes(),
                                  tensor.shape().data(), tensor.shape().size(), theirs(tensor.type()));
}

Result<Tensor> unwrap(const Ort::Value& value) {
  if (!value.HasValue()) return Tensor(ElementType::kFloat32, {0});
  if (value.IsTensor()) return unwrap_tensor(value.GetConst());  // the usual case asks for nothing more
  const auto kind = value.GetTypeInfo().GetONNXType();
  if (kind == ONNX_TYPE_MAP) return unwrap_map(value);
  if (kind == ONNX_TYPE_SEQUENCE) return unwrap_sequence(value);
  return unsupported("the model gives an output of a kind that has no form in an answer");
}

}  // namespace noren::worker
