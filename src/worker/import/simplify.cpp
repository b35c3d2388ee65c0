#include "worker/import/simplify.h"

#include <algorithm>

#include "worker/import/graph_index.h"

namespace noren::worker {

namespace {

/// With what its inner graphs read of the graph around them.
void collect_reads(const onnx::NodeProto& node, std::vector<std::string>& names) {
  names.insert(names.end(), node.input().begin(), node.input().end());
  const auto collect = [&](const onnx::GraphProto& inner) {
    for (const onnx::NodeProto& each : inner.node()) collect_reads(each, names);
    for (const auto& output : inner.output()) names.push_back(output.name());
  };
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g()) collect(attribute.g());
    for (const onnx::GraphProto& inner : attribute.graphs()) collect(inner);
  }
}

}  // namespace

void drop_unread(onnx::GraphProto& graph) {
  std::unordered_map<std::string, int> writer;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string& output : graph.node(i).output()) writer[output] = i;
  std::vector<std::string> pending;
  for (const auto& output : graph.output()) pending.push_back(output.name());
  std::unordered_set<std::string> needed;
  std::vector<bool> keep(static_cast<std::size_t>(graph.node_size()), false);
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    const auto found = writer.find(name);
    if (name.empty() || !needed.insert(name).second || found == writer.end()) continue;
    const auto index = static_cast<std::size_t>(found->second);
    if (!keep[index]) collect_reads(graph.node(found->second), pending);
    keep[index] = true;
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
