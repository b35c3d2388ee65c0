// worker/import/graph_index.h - Who writes and who reads what in an ONNX graph. Private to import.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <onnx/onnx_pb.h>

#include "worker/tensor/tensor.h"

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

/// Shapes of a graph's values for one request, by name.
using GraphShapes = std::unordered_map<std::string, Shape>;

/// The integers of a constant tensor; nothing where the name is no such constant.
std::optional<std::vector<std::int64_t>> integers_of(const GraphIndex& index, const std::string& name);
/// Those of an INT64 tensor, in either of the two places where it may have them.
std::vector<std::int64_t> integers_of(const onnx::TensorProto& tensor);
/// An integer attribute.
std::int64_t attribute_or(const onnx::NodeProto& node, const char* name, std::int64_t fallback);

/// Takes out nodes and constants that no output of the graph needs.
void drop_unread(onnx::GraphProto& graph);
/// Leads readers past nodes that only pass on what is there already: identities, reshapes and transposes in a
/// row, a slice that takes one of the pieces that were just put together.
void pass_through(onnx::GraphProto& graph, const GraphShapes& shapes);
/// Multiplies the steps of an unrolled recurrent layer with their weights all at once.
void gather_steps(onnx::GraphProto& graph, const GraphShapes& shapes);
/// Folds scales and offsets of channels into the weights before them.
void fold_channel_arithmetic(onnx::GraphProto& graph);
/// Computes what depends on constants alone.
void fold_constants(onnx::ModelProto& model);

}  // namespace noren::worker
