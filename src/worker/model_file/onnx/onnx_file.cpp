#include "worker/model_file/onnx/onnx_file.h"

#include <onnx/onnx_pb.h>

#include <limits>
#include <set>
#include <utility>

#include "base/limits.h"
#include "worker/model_file/onnx/graph_walk.h"
#include "worker/model_file/text.h"

namespace noren::worker {
namespace {

constexpr std::size_t kMetadataBytes = limits::kMiB;
/// Nested containers ("sequence(map(…))"); protobuf itself allows no more than 100 levels.
constexpr int kContainerDepth = 8;

struct TypeName {
  int onnx_type;
  ElementType type;
};

// The element types that can cross the API.
constexpr TypeName kTypes[] = {
    {onnx::TensorProto::FLOAT, ElementType::kFloat32},
    {onnx::TensorProto::DOUBLE, ElementType::kFloat64},
    {onnx::TensorProto::INT8, ElementType::kInt8},
    {onnx::TensorProto::INT16, ElementType::kInt16},
    {onnx::TensorProto::INT32, ElementType::kInt32},
    {onnx::TensorProto::INT64, ElementType::kInt64},
    {onnx::TensorProto::UINT8, ElementType::kUint8},
    {onnx::TensorProto::UINT16, ElementType::kUint16},
    {onnx::TensorProto::UINT32, ElementType::kUint32},
    {onnx::TensorProto::UINT64, ElementType::kUint64},
    {onnx::TensorProto::BOOL, ElementType::kBool},
    {onnx::TensorProto::STRING, ElementType::kString},
    {onnx::TensorProto::FLOAT16, ElementType::kFloat16},
    {onnx::TensorProto::BFLOAT16, ElementType::kBfloat16},
};

const TypeName* find_type(int onnx_type) {
  for (const TypeName& row : kTypes) {
    if (row.onnx_type == onnx_type) return &row;
  }
  return nullptr;
}

/// Types that stay inside a model: their numbers in ONNX, whose messages here may be older than they are.
constexpr std::pair<int, std::string_view> kInnerTypes[] = {{0, "undefined"},
                                                            {14, "complex64"},
                                                            {15, "complex128"},
                                                            {17, "float8e4m3fn"},
                                                            {18, "float8e4m3fnuz"},
                                                            {19, "float8e5m2"},
                                                            {20, "float8e5m2fnuz"},
                                                            {21, "uint4"},
                                                            {22, "int4"},
                                                            {23, "float4e2m1"},
                                                            {24, "float8e8m0"},
                                                            {25, "uint2"},
                                                            {26, "int2"}};

std::string type_text(const onnx::TypeProto& type, int depth);

std::string element_text(int onnx_type) {
  if (const TypeName* row = find_type(onnx_type); row != nullptr)
    return std::string(element_type_name(row->type));
  for (const auto& [number, name] : kInnerTypes) {
    if (number == onnx_type) return std::string(name);
  }
  return "type " + std::to_string(onnx_type);
}

std::string type_text(const onnx::TypeProto& type, int depth) {
  if (depth > kContainerDepth) return "…";
  switch (type.value_case()) {
    case onnx::TypeProto::kTensorType: return element_text(type.tensor_type().elem_type());
    case onnx::TypeProto::kSequenceType:
      return "sequence(" + type_text(type.sequence_type().elem_type(), depth + 1) + ")";
    case onnx::TypeProto::kMapType:
      return "map(" + element_text(type.map_type().key_type()) + "," +
             type_text(type.map_type().value_type(), depth + 1) + ")";
    case onnx::TypeProto::kOptionalType:
      return "optional(" + type_text(type.optional_type().elem_type(), depth + 1) + ")";
    case onnx::TypeProto::kSparseTensorType:
      return "sparse(" + element_text(type.sparse_tensor_type().elem_type()) + ")";
    default: return "unknown";
  }
}

Status read_shape(const onnx::TypeProto::Tensor& tensor, const std::string& owner, OnnxPort& port) {
  port.has_shape = tensor.has_shape();
  if (static_cast<std::size_t>(tensor.shape().dim_size()) > limits::kRankCount) {
    return make_error(Code::kTooLarge,
                      owner + " has more than " + std::to_string(limits::kRankCount) + " dimensions");
  }
  std::int64_t count = 1;
  for (const auto& dimension : tensor.shape().dim()) {
    // Some exporters write -1 for a free axis; 0 is a length like any other.
    const bool is_fixed = dimension.has_dim_value() && dimension.dim_value() >= 0;
    const std::int64_t size = is_fixed ? dimension.dim_value() : 1;
    if (count != 0 && size > limits::kTensorElementsCount / count) {
      return make_error(Code::kTooLarge, owner + " has more than " +
                                             std::to_string(limits::kTensorElementsCount) + " numbers");
    }
    count *= size;
    port.shape.push_back(is_fixed ? size : -1);
    port.axis_names.push_back(shown_name(dimension.dim_param()));
    port.axis_denotations.push_back(shown_name(dimension.denotation()));
  }
  return Ok{};
}

Result<OnnxPort> port_of(const onnx::ValueInfoProto& value, const char* role) {
  const std::string owner = std::string(role) + " " + quoted_name(value.name());
  if (value.name().empty()) return invalid(std::string("an ") + role + " of the graph has no name");
  TRY(check_onnx_name(value.name(), owner));
  OnnxPort port;
  port.name = value.name();
  if (value.type().value_case() != onnx::TypeProto::kTensorType) {
    port.container = type_text(value.type(), 0);
    port.has_shape = false;
    return port;
  }
  const onnx::TypeProto::Tensor& tensor = value.type().tensor_type();
  const TypeName* type = find_type(tensor.elem_type());
  if (type == nullptr) {
    return unsupported(owner + " has the element type " + element_text(tensor.elem_type()) +
                       ", which has no form in a request or an answer; give the model a Cast to float there");
  }
  port.type = type->type;
  port.denotation = shown_name(value.type().denotation());
  TRY(read_shape(tensor, owner, port));
  return port;
}

Status read_ports(const onnx::GraphProto& graph, OnnxFile& file) {
  std::set<std::string_view> filled, names;
  for (const auto& initializer : graph.initializer()) filled.insert(initializer.name());
  for (const auto& initializer : graph.sparse_initializer()) filled.insert(initializer.values().name());
  for (const auto& value : graph.input()) {
    if (filled.contains(value.name())) continue;
    ASSIGN_OR_RETURN(OnnxPort port, port_of(value, "input"));
    if (!names.insert(value.name()).second) {
      return invalid("the graph has two inputs named " + quoted_name(value.name()));
    }
    file.inputs.push_back(std::move(port));
  }
  for (const auto& value : graph.output()) {
    ASSIGN_OR_RETURN(OnnxPort port, port_of(value, "output"));
    file.outputs.push_back(std::move(port));
  }
  if (file.outputs.empty()) return invalid("the graph has no output");
  if (file.inputs.size() > limits::kRequestInputsCount || file.outputs.size() > limits::kRequestInputsCount) {
    return make_error(
        Code::kTooLarge,
        "the graph has more than " + std::to_string(limits::kRequestInputsCount) + " inputs or outputs");
  }
  return Ok{};
}

Status read_metadata(const onnx::ModelProto& model, OnnxFile& file) {
  std::size_t bytes = 0;
  for (const auto& entry : model.metadata_props()) {
    bytes += entry.key().size() + entry.value().size();
    if (bytes > kMetadataBytes) {
      return make_error(Code::kTooLarge, "the model's metadata is larger than " +
                                             std::to_string(kMetadataBytes / limits::kMiB) + " MiB");
    }
    file.metadata[entry.key()] = entry.value();
  }
  file.ir_version = model.ir_version();
  file.producer = shown_name(model.producer_name());
  if (!model.producer_version().empty()) file.producer += " " + shown_name(model.producer_version());
  for (const auto& opset : model.opset_import()) {
    const bool is_standard = opset.domain().empty() || opset.domain() == "ai.onnx";
    file.opsets[is_standard ? "" : shown_name(opset.domain())] = opset.version();
  }
  if (file.opsets.empty()) return invalid("the model says no opset: it is no ONNX model");
  return Ok{};
}

}  // namespace

Result<OnnxFile> read_onnx(ByteView bytes) {
  if (bytes.size() > std::numeric_limits<int>::max()) {
    return make_error(Code::kTooLarge, "the model is larger than 2 GiB");
  }
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return invalid("the file is neither an .nnp archive nor an ONNX model, or it is damaged or cut off");
  }
  if (!model.has_graph()) return invalid("the file is no ONNX model: it has no graph");
  OnnxFile file;
  TRY(read_metadata(model, file));
  TRY(walk_onnx_graphs(model, file));
  TRY(read_ports(model.graph(), file));
  return file;
}

}  // namespace noren::worker
