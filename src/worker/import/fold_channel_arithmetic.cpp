#include <cstring>
#include <optional>

#include "worker/import/graph_index.h"

namespace noren::worker {
namespace {

std::vector<float> floats_of(const onnx::TensorProto& tensor) {
  std::vector<float> values(tensor.raw_data().size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
  return values;
}

bool is_float(const onnx::TensorProto& tensor) {
  return tensor.data_type() == onnx::TensorProto::FLOAT && tensor.has_raw_data();
}

std::int64_t attribute_or(const onnx::NodeProto& node, const char* name, std::int64_t fallback) {
  for (const auto& attribute : node.attribute())
    if (attribute.name() == name) return attribute.i();
  return fallback;
}

/// A layer whose outputs are channels: y = W x + b, one row (Conv) or column (Gemm) of W for each channel.
struct Weighted {
  onnx::NodeProto* node = nullptr;
  onnx::TensorProto* weight = nullptr;
  std::int64_t channels = 0;
  std::int64_t rank = 0;  ///< of the output
  bool channel_is_first = true;
};

class ChannelFolder {
 public:
  explicit ChannelFolder(onnx::GraphProto& graph) : graph_(graph), index_(graph) {}

  /// Each layer takes in what follows it, as long as there is something to take.
  void fold_all() {
    for (int i = 0; i < graph_.node_size(); ++i) {
      const auto weighted = weighted_of(*graph_.mutable_node(i));
      if (!weighted) continue;
      onnx::NodeProto* next = index_.only_reader(weighted->node->output(0));
      while (next != nullptr && fold(*weighted, *next)) next = index_.only_reader(weighted->node->output(0));
    }
  }

 private:
  std::optional<Weighted> weighted_of(onnx::NodeProto& node) const {
    const bool is_conv = node.op_type() == "Conv", is_gemm = node.op_type() == "Gemm";
    if (!node.domain().empty() || (!is_conv && !is_gemm) || node.input_size() < 2) return std::nullopt;
    const auto weight = index_.constants.find(node.input(1));
    if (weight == index_.constants.end() || !is_float(*weight->second)) return std::nullopt;
    // A weight that several layers share must not change under the others.
    if (index_.readers.at(node.input(1)).size() != 1) return std::nullopt;
    Weighted weighted{&node, weight->second};
    const auto& dims = weight->second->dims();
    if (is_gemm &&
        (attribute_or(node, "transA", 0) != 0 || attribute_or(node, "transB", 0) != 0 || dims.size() != 2))
      return std::nullopt;
    for (const auto& attribute : node.attribute())
      if (attribute.name() == "alpha" || attribute.name() == "beta") return std::nullopt;
    weighted.channel_is_first = is_conv;
    weighted.channels = is_conv ? dims[0] : dims[1];
    weighted.rank = is_conv ? dims.size() : 2;
    if (node.input_size() > 2 && !node.input(2).empty()) {
      const auto bias = index_.constants.find(node.input(2));
      if (bias == index_.constants.end() || !is_float(*bias->second) ||
          static_cast<std::int64_t>(floats_of(*bias->second).size()) != weighted.channels)
        return std::nullopt;
    }
    return weighted;
  }

  /// The constant operand as one number a channel; nothing where it varies along another axis, or widens the
  /// output.
  std::optional<std::vector<float>> per_channel(const Weighted& weighted, const std::string& name) const {
    const auto found = index_.constants.find(name);
    if (found == index_.constants.end() || !is_float(*found->second)) return std::nullopt;
    const auto& dims = found->second->dims();
    if (dims.size() > weighted.rank) return std::nullopt;
    for (int i = 0; i < dims.size(); ++i) {
      const bool is_channel_axis = i + weighted.rank - dims.size() == 1;
      if (dims[i] != 1 && !(is_channel_axis && dims[i] == weighted.channels)) return std::nullopt;
    }
    std::vector<float> values = floats_of(*found->second);
    if (values.size() == 1) values.assign(static_cast<std::size_t>(weighted.channels), values[0]);
    if (static_cast<std::int64_t>(values.size()) != weighted.channels) return std::nullopt;
    return values;
  }

  bool fold(const Weighted& weighted, onnx::NodeProto& next) {
    const std::string& op = next.op_type();
    if (!next.domain().empty() || (op != "Mul" && op != "Add" && op != "Sub") || next.input_size() != 2)
      return false;
    const bool layer_is_left = next.input(0) == weighted.node->output(0);
    const auto operand = per_channel(weighted, next.input(layer_is_left ? 1 : 0));
    if (!operand || (op == "Sub" && !layer_is_left)) return false;
    std::vector<float> bias = bias_of(weighted);
    if (op == "Mul") scale_weight(weighted, *operand);
    for (std::size_t c = 0; c < bias.size(); ++c) {
      if (op == "Mul") bias[c] *= (*operand)[c];
      if (op == "Add") bias[c] += (*operand)[c];
      if (op == "Sub") bias[c] -= (*operand)[c];
    }
    set_bias(weighted, bias);
    index_.readers.erase(weighted.node->output(0));
    weighted.node->set_output(0, next.output(0));
    next.clear_output();  // nobody reads it any more: dropped as unread
    next.clear_input();
    next.add_output("unread");
    return true;
  }

  std::vector<float> bias_of(const Weighted& weighted) const {
    const onnx::NodeProto& node = *weighted.node;
    if (node.input_size() < 3 || node.input(2).empty())
      return std::vector<float>(static_cast<std::size_t>(weighted.channels));
    return floats_of(*index_.constants.at(node.input(2)));
  }

  void scale_weight(const Weighted& weighted, const std::vector<float>& scale) const {
    std::vector<float> values = floats_of(*weighted.weight);
    const std::size_t row = values.size() / scale.size();
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] *= scale[weighted.channel_is_first ? i / row : i % scale.size()];
    weighted.weight->set_raw_data(values.data(), values.size() * sizeof(float));
  }

  /// A constant of its own: the old one may be shared.
  void set_bias(const Weighted& weighted, const std::vector<float>& values) {
    onnx::TensorProto* bias = graph_.add_initializer();
    bias->set_name("folded_bias_" + std::to_string(biases_count_++));
    bias->set_data_type(onnx::TensorProto::FLOAT);
    bias->add_dims(weighted.channels);
    bias->set_raw_data(values.data(), values.size() * sizeof(float));
    index_.constants[bias->name()] = bias;
    if (weighted.node->input_size() > 2)
      weighted.node->set_input(2, bias->name());
    else
      weighted.node->add_input(bias->name());
  }

  onnx::GraphProto& graph_;
  GraphIndex index_;
  int biases_count_ = 0;
};

}  // namespace

void fold_channel_arithmetic(onnx::GraphProto& graph) { ChannelFolder(graph).fold_all(); }

}  // namespace noren::worker
