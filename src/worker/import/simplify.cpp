#include "worker/import/simplify.h"

#include <algorithm>

#include "worker/import/graph_index.h"

namespace noren::worker {

void drop_unread(onnx::GraphProto& graph) {
  std::unordered_set<std::string> needed;
  for (const auto& output : graph.output()) needed.insert(output.name());
  std::vector<bool> keep(static_cast<std::size_t>(graph.node_size()), false);
  for (int i = graph.node_size(); i-- > 0;) {
    const onnx::NodeProto& node = graph.node(i);
    if (std::none_of(node.output().begin(), node.output().end(),
                     [&](const std::string& name) { return needed.contains(name); }))
      continue;
    keep[static_cast<std::size_t>(i)] = true;
    needed.insert(node.input().begin(), node.input().end());
  }
  auto* nodes = graph.mutable_node();
  int kept = 0;
  for (int i = 0; i < nodes->size(); ++i)
    if (keep[static_cast<std::size_t>(i)]) nodes->SwapElements(i, kept++);
  nodes->DeleteSubrange(kept, nodes->size() - kept);
  auto* constants = graph.mutable_initializer();
  constants->erase(
      std::remove_if(constants->begin(), constants->end(),
                     [&](const onnx::TensorProto& tensor) { return !needed.contains(tensor.name()); }),
      constants->end());
}

Result<Bytes> simplify_model(ByteView onnx_model, const std::unordered_map<std::string, Shape>& shapes) {
  onnx::ModelProto model;
  if (!model.ParseFromArray(onnx_model.data(), static_cast<int>(onnx_model.size())))
    return make_error(Code::kCorrupt, "the translated model is damaged");
  drop_unread(*model.mutable_graph());
  fold_constants(model);
  pass_through(*model.mutable_graph(), shapes);
  drop_unread(*model.mutable_graph());
  fold_channel_arithmetic(*model.mutable_graph());
  drop_unread(*model.mutable_graph());
  gather_steps(*model.mutable_graph(), shapes);
  pass_through(*model.mutable_graph(), shapes);
  drop_unread(*model.mutable_graph());
  Bytes bytes(model.ByteSizeLong());
  CHECK(model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())));
  return bytes;
}

}  // namespace noren::worker
