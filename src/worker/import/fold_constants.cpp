#include <cstring>

#include "worker/engine/engine.h"
#include "worker/import/graph_index.h"

namespace noren::worker {
namespace {

/// Folding must not blow a model up: an Expand of a small constant is better done when it runs.
constexpr std::size_t kGrowthBytes = std::size_t{1} << 22;

bool draws(const onnx::NodeProto& node) {
  return node.op_type().starts_with("Random") || node.op_type() == "Dropout" ||
         node.op_type() == "ImageAugmentation";
}

/// The nodes that depend on constants alone, and which of their results others read.
struct Foldable {
  std::unordered_set<const onnx::NodeProto*> nodes;
  std::vector<std::string> results;
};

Foldable find_foldable(onnx::GraphProto& graph) {
  const GraphIndex index(graph);
  Foldable foldable;
  std::unordered_set<std::string> known;
  for (const auto& [name, tensor] : index.constants) known.insert(name);
  for (const onnx::NodeProto& node : graph.node()) {
    bool all_known = !draws(node) && node.input_size() > 0;
    for (const std::string& input : node.input())
      all_known = all_known && (input.empty() || known.contains(input));
    if (!all_known) continue;
    foldable.nodes.insert(&node);
    known.insert(node.output().begin(), node.output().end());
  }
  for (const onnx::NodeProto* node : foldable.nodes)
    for (const std::string& output : node->output()) {
      const auto readers = index.readers.find(output);
      bool is_read = false;
      if (readers != index.readers.end())
        for (const onnx::NodeProto* reader : readers->second)
          is_read = is_read || !foldable.nodes.contains(reader);
      // An output of the whole graph keeps its node: an initializer can't be one.
      if (is_read && !index.outputs.contains(output)) foldable.results.push_back(output);
    }
  return foldable;
}

onnx::ModelProto constant_part(const onnx::ModelProto& model, const Foldable& foldable) {
  onnx::ModelProto part;
  part.set_ir_version(model.ir_version());
  *part.mutable_opset_import() = model.opset_import();
  onnx::GraphProto& graph = *part.mutable_graph();
  graph.set_name("constants");
  std::unordered_set<std::string> read;
  for (const onnx::NodeProto& node : model.graph().node())
    if (foldable.nodes.contains(&node)) {
      *graph.add_node() = node;
      read.insert(node.input().begin(), node.input().end());
    }
  for (const onnx::TensorProto& tensor : model.graph().initializer())
    if (read.contains(tensor.name())) *graph.add_initializer() = tensor;
  for (const std::string& name : foldable.results) graph.add_output()->set_name(name);
  return part;
}

bool to_initializer(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
  switch (tensor.type()) {
    case ElementType::kFloat32: proto.set_data_type(onnx::TensorProto::FLOAT); break;
    case ElementType::kInt64: proto.set_data_type(onnx::TensorProto::INT64); break;
    case ElementType::kInt32: proto.set_data_type(onnx::TensorProto::INT32); break;
    case ElementType::kBool: proto.set_data_type(onnx::TensorProto::BOOL); break;
    default: return false;
  }
  proto.set_name(name);
  for (const std::int64_t dimension : tensor.shape()) proto.add_dims(dimension);
  proto.set_raw_data(tensor.raw(), tensor.size_bytes());
  return true;
}

}  // namespace

// Where the constants can't be computed (an operator refuses them), the model stays as it is: the trial run
// that follows reports it with the layer's own words.
void fold_constants(onnx::ModelProto& model) {
  const Foldable foldable = find_foldable(*model.mutable_graph());
  if (foldable.results.empty()) return;
  const onnx::ModelProto part = constant_part(model, foldable);
  const std::string bytes = part.SerializeAsString();
  auto session = open_session(bytes_of(bytes), EngineOptions{});
  if (!session.ok()) return;
  const auto values = (*session)->run({});
  if (!values.ok()) return;
  std::size_t before = 0, after = 0;
  for (const onnx::TensorProto& tensor : part.graph().initializer()) before += tensor.ByteSizeLong();
  for (const Tensor& value : *values) after += value.size_bytes();
  if (after > before + kGrowthBytes) return;
  std::vector<onnx::TensorProto> folded(values->size());
  for (std::size_t i = 0; i < values->size(); ++i)
    if (!to_initializer((*values)[i], foldable.results[i], folded[i])) return;
  std::unordered_set<std::string> results(foldable.results.begin(), foldable.results.end());
  auto* nodes = model.mutable_graph()->mutable_node();
  for (auto& node : *nodes)  // an output that became a constant has no writer any more
    for (auto& output : *node.mutable_output())
      if (results.contains(output)) output += ".folded";
  for (onnx::TensorProto& tensor : folded) *model.mutable_graph()->add_initializer() = std::move(tensor);
}

}  // namespace noren::worker
