#include "worker/import/onnx_analysis.h"

#include <algorithm>
#include <new>
#include <set>

#include <onnx/onnx_pb.h>

#include "worker/engine/engine.h"
#include "worker/import/onnx_rows.h"

namespace noren::worker {
namespace {

/// Weights of more elements are left out of the graph that is asked for shapes: only small constants (axes,
/// sizes) decide shapes.
constexpr std::int64_t kConstantElementsCount = 1024;

std::int64_t count_of(const onnx::TensorProto& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : tensor.dims()) count *= dimension;
  return count;
}

/// The size of what goes in is that of one sample.
void fix_inputs(onnx::GraphProto& graph, const ExecutorSignature& executor) {
  for (onnx::ValueInfoProto& value : *graph.mutable_input()) {
    const auto input =
        std::find_if(executor.inputs.begin(), executor.inputs.end(),
                     [&](const InputSignature& each) { return each.graph_name == value.name(); });
    if (input == executor.inputs.end() || !input->has_shape) continue;
    onnx::TensorShapeProto& shape = *value.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (int axis = 0; axis < shape.dim_size(); ++axis)
      if (const std::int64_t length = input->shape[static_cast<std::size_t>(axis)]; length >= 0)
        shape.mutable_dim(axis)->set_dim_value(length);
  }
}

/// Large weights become inputs: their shape is known, their values decide nothing. They are never copied.
onnx::ModelProto without_large_weights(onnx::ModelProto& model) {
  google::protobuf::RepeatedPtrField<onnx::TensorProto> weights;
  weights.Swap(model.mutable_graph()->mutable_initializer());
  onnx::ModelProto outline = model;
  weights.Swap(model.mutable_graph()->mutable_initializer());
  onnx::GraphProto& graph = *outline.mutable_graph();
  std::set<std::string> declared;
  for (const auto& input : graph.input()) declared.insert(input.name());
  for (const onnx::TensorProto& weight : model.graph().initializer()) {
    if (count_of(weight) <= kConstantElementsCount) {
      *graph.add_initializer() = weight;
      continue;
    }
    if (!declared.insert(weight.name()).second) continue;
    onnx::ValueInfoProto& input = *graph.add_input();
    input.set_name(weight.name());
    auto& tensor = *input.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(weight.data_type());
    for (const std::int64_t dimension : weight.dims())
      tensor.mutable_shape()->add_dim()->set_dim_value(dimension);
  }
  return outline;
}

/// What the engine infers for the outputs of each node. Empty where it refuses the graph.
GraphShapes inferred_shapes(onnx::ModelProto& model, const ExecutorSignature& executor) {
  GraphShapes shapes;
  for (const auto& weight : model.graph().initializer())
    shapes[weight.name()] = Shape(weight.dims().begin(), weight.dims().end());
  onnx::ModelProto outline = without_large_weights(model);
  onnx::GraphProto& graph = *outline.mutable_graph();
  fix_inputs(graph, executor);
  graph.clear_value_info();
  graph.clear_output();
  for (const onnx::NodeProto& node : graph.node())
    for (const std::string& output : node.output())
      if (!output.empty()) graph.add_output()->set_name(output);
  const std::string bytes = outline.SerializeAsString();
  const auto session =
      open_session({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, EngineOptions{});
  if (!session.ok()) return {};
  for (const auto* ports : {&(*session)->inputs(), &(*session)->outputs()})
    for (const GraphPort& port : *ports)
      if (port.container.empty()) shapes[port.name] = port.shape;
  return shapes;
}

OnnxAnalysis analysis_of(ByteView onnx_model, const ExecutorSignature& executor) {
  OnnxAnalysis analysis{.not_batchable_reason = "its graph could not be looked at"};
  onnx::ModelProto model;
  if (!model.ParseFromArray(onnx_model.data(), static_cast<int>(onnx_model.size()))) return analysis;
  drop_unread(*model.mutable_graph());  // what no answer needs is no part of what it costs
  const GraphShapes shapes = inferred_shapes(model, executor);
  if (shapes.empty()) return analysis;
  analysis.statistics = onnx_statistics(*model.mutable_graph(), shapes, executor);
  analysis.not_batchable_reason = why_rows_depend(model, shapes, executor);
  return analysis;
}

}  // namespace

OnnxAnalysis analyse_onnx(ByteView onnx_model, const ExecutorSignature& executor) {
  try {
    return analysis_of(onnx_model, executor);
  } catch (const std::bad_alloc&) {  // a model that has the memory to run is published without it
    return {.not_batchable_reason = "its graph could not be looked at: that needs more memory than there is"};
  }
}

}  // namespace noren::worker
