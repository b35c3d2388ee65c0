#include <algorithm>
#include <cstring>
#include <numeric>

#include "worker/import/graph_index.h"

namespace noren::worker {
namespace {

const onnx::AttributeProto* attribute_of(const onnx::NodeProto& node, const char* name) {
  for (const auto& attribute : node.attribute())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

bool is_standard(const onnx::NodeProto* node, const char* op) {
  return node != nullptr && node->domain().empty() && node->op_type() == op;
}

class Shortener {
 public:
  Shortener(onnx::GraphProto& graph, const GraphShapes& shapes)
      : graph_(graph), index_(graph), shapes_(shapes) {}

  /// In the graph's order, so that each node already reads past those before it.
  void shorten_all() {
    for (onnx::NodeProto& node : *graph_.mutable_node()) {
      for (std::string& input : *node.mutable_input())
        if (const auto found = instead_.find(input); found != instead_.end()) input = found->second;
      if (!node.domain().empty() || node.output_size() != 1) continue;
      if (node.op_type() == "Reshape") shorten_reshape(node);
      if (node.op_type() == "Transpose") shorten_transpose(node);
      const std::string source = source_of(node);
      if (source.empty() || index_.outputs.contains(node.output(0))) continue;
      instead_[node.output(0)] = source;
    }
    take_output_names();
  }

 private:
  const onnx::NodeProto* writer_of(const std::string& name) const {
    const auto found = index_.writer.find(name);
    return found == index_.writer.end() ? nullptr : found->second;
  }
  const Shape* shape_of(const std::string& name) const {
    const auto found = shapes_.find(name);
    return found == shapes_.end() ? nullptr : &found->second;
  }

  /// The value that a node repeats; empty where it makes a new one.
  std::string source_of(const onnx::NodeProto& node) const {
    if (node.op_type() == "Identity") return node.input(0);
    if (node.op_type() == "Slice") return sliced_piece(node);
    if (node.op_type() != "Reshape" && node.op_type() != "Transpose") return {};
    const Shape* from = shape_of(node.input(0));
    const Shape* to = shape_of(node.output(0));
    if (from == nullptr || to == nullptr || *from != *to) return {};
    if (node.op_type() == "Reshape") return node.input(0);
    const auto* order = attribute_of(node, "perm");
    return order != nullptr && std::is_sorted(order->ints().begin(), order->ints().end()) ? node.input(0)
                                                                                          : std::string();
  }

  /// A reshape of a reshape is one: unless it copies a length (0), it does not depend on the shape before.
  void shorten_reshape(onnx::NodeProto& node) const {
    const onnx::NodeProto* before = writer_of(node.input(0));
    const auto target = integers_of(index_, node.input(1));
    if (!is_standard(before, "Reshape") || !target || std::ranges::count(*target, 0) > 0) return;
    node.set_input(0, before->input(0));
  }

  void shorten_transpose(onnx::NodeProto& node) const {
    const onnx::NodeProto* before = writer_of(node.input(0));
    if (!is_standard(before, "Transpose")) return;
    const auto* first = attribute_of(*before, "perm");
    const auto* second = attribute_of(node, "perm");
    if (first == nullptr || second == nullptr || first->ints_size() != second->ints_size()) return;
    std::vector<std::int64_t> both;
    for (const std::int64_t axis : second->ints()) both.push_back(first->ints(static_cast<int>(axis)));
    node.mutable_attribute(0)->mutable_ints()->Assign(both.begin(), both.end());
    node.set_input(0, before->input(0));
  }

  /// The piece of a Concat that a Slice takes, where it takes exactly one.
  std::string sliced_piece(const onnx::NodeProto& node) const {
    const onnx::NodeProto* joined = writer_of(node.input(0));
    if (!is_standard(joined, "Concat") || node.input_size() != 5) return {};
    const auto starts = integers_of(index_, node.input(1)), stops = integers_of(index_, node.input(2));
    const auto axes = integers_of(index_, node.input(3)), steps = integers_of(index_, node.input(4));
    if (!starts || !stops || !axes || !steps || axes->size() != 1 || starts->size() != 1 ||
        stops->size() != 1 || *steps != std::vector<std::int64_t>{1})
      return {};
    const std::int64_t axis = attribute_or(*joined, "axis", -1);
    if (axis < 0 || axes->front() != axis || starts->front() < 0) return {};
    std::int64_t position = 0;
    for (const std::string& piece : joined->input()) {
      const Shape* shape = shape_of(piece);
      if (shape == nullptr || axis >= static_cast<std::int64_t>(shape->size())) return {};
      const std::int64_t end = position + (*shape)[static_cast<std::size_t>(axis)];
      if (position == starts->front() && end == stops->front()) return piece;
      position = end;
    }
    return {};
  }

  /// Instead of an identity, the node before it gives the graph's output.
  void take_output_names() {
    const GraphIndex index(graph_);
    std::unordered_map<std::string, std::string> renamed;
    for (onnx::NodeProto& node : *graph_.mutable_node()) {
      if (!is_standard(&node, "Identity") || !index.outputs.contains(node.output(0))) continue;
      const std::string source = node.input(0);
      const auto writer = index.writer.find(source);
      if (writer == index.writer.end() || index.outputs.contains(source) || renamed.contains(source))
        continue;
      renamed[source] = node.output(0);
      node.set_output(0, node.output(0) + ".unread");
      for (std::string& output : *writer->second->mutable_output())
        if (output == source) output = renamed[source];
    }
    for (onnx::NodeProto& node : *graph_.mutable_node())
      for (std::string& input : *node.mutable_input())
        if (const auto found = renamed.find(input); found != renamed.end()) input = found->second;
  }

  onnx::GraphProto& graph_;
  GraphIndex index_;
  const GraphShapes& shapes_;
  std::unordered_map<std::string, std::string> instead_;
};

}  // namespace

std::optional<std::vector<std::int64_t>> integers_of(const GraphIndex& index, const std::string& name) {
  const auto found = index.constants.find(name);
  if (found == index.constants.end() || found->second->data_type() != onnx::TensorProto::INT64)
    return std::nullopt;
  return integers_of(*found->second);
}

std::vector<std::int64_t> integers_of(const onnx::TensorProto& tensor) {
  if (!tensor.has_raw_data()) return {tensor.int64_data().begin(), tensor.int64_data().end()};
  std::vector<std::int64_t> values(tensor.raw_data().size() / sizeof(std::int64_t));
  if (!values.empty())
    std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(std::int64_t));
  return values;
}

std::int64_t attribute_or(const onnx::NodeProto& node, const char* name, std::int64_t fallback) {
  const onnx::AttributeProto* attribute = attribute_of(node, name);
  return attribute == nullptr ? fallback : attribute->i();
}

void pass_through(onnx::GraphProto& graph, const GraphShapes& shapes) {
  Shortener(graph, shapes).shorten_all();
}

}  // namespace noren::worker
