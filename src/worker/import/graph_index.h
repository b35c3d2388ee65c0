// worker/import/graph_index.h - Who writes and who reads what in an ONNX graph. Private to import.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <onnx/onnx_pb.h>

namespace noren::worker {

/// Pointers into a graph; made anew after a pass has changed the nodes.
struct GraphIndex {
  explicit GraphIndex(onnx::GraphProto& graph) {
    for (auto& tensor : *graph.mutable_initializer()) constants[tensor.name()] = &tensor;
    for (auto& node : *graph.mutable_node()) {
      for (const std::string& output : node.output()) writer[output] = &node;
      for (const std::string& input : node.input())
        if (!input.empty()) readers[input].push_back(&node);
    }
    for (const auto& output : graph.output()) outputs.insert(output.name());
  }

  bool is_constant(const std::string& name) const { return constants.contains(name); }
  /// The one node that reads a value that is no output of the graph; null where there is none, or several.
  onnx::NodeProto* only_reader(const std::string& name) const {
    const auto found = readers.find(name);
    return found == readers.end() || found->second.size() != 1 || outputs.contains(name)
               ? nullptr
               : found->second.front();
  }

  std::unordered_map<std::string, onnx::TensorProto*> constants;
  std::unordered_map<std::string, onnx::NodeProto*> writer;
  std::unordered_map<std::string, std::vector<onnx::NodeProto*>> readers;
  std::unordered_set<std::string> outputs;
};

/// Takes out nodes and constants that no output of the graph needs.
void drop_unread(onnx::GraphProto& graph);
/// Folds scales and offsets of channels into the weights before them.
void fold_channel_arithmetic(onnx::GraphProto& graph);
/// Computes what depends on constants alone.
void fold_constants(onnx::ModelProto& model);

}  // namespace noren::worker
