#include <cmath>
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

enum class Kind : std::uint8_t { kConvolution, kDeconvolution, kProduct };

/// A layer whose outputs are channels: y = W x + b, some numbers of W for each channel.
struct Weighted {
  onnx::NodeProto* node = nullptr;
  onnx::TensorProto* weight = nullptr;
  Kind kind = Kind::kConvolution;
  std::int64_t channels = 0;
  std::int64_t rank = 0;  ///< of the output

  /// The channel of a number of the weight: (channels, inputs, kernel…) of a convolution, (inputs, channels
  /// of a group, kernel…) of a deconvolution, (inputs, channels) of a product.
  std::int64_t channel_of(std::int64_t place) const {
    const auto& dims = weight->dims();
    if (kind == Kind::kProduct) return place % channels;
    std::int64_t kernel = 1;
    for (int i = 2; i < dims.size(); ++i) kernel *= dims[i];
    if (kind == Kind::kConvolution) return place / (dims[1] * kernel);
    const std::int64_t input = place / (dims[1] * kernel);
    const std::int64_t inputs_of_group = dims[0] / (channels / dims[1]);
    return input / inputs_of_group * dims[1] + place / kernel % dims[1];
  }
};

/// What a channel becomes: scale * y + shift.
struct Scaling {
  std::vector<double> scale, shift;
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
    const std::string& op = node.op_type();
    if (!node.domain().empty() || (op != "Conv" && op != "ConvTranspose" && op != "Gemm") ||
        node.input_size() < 2)
      return std::nullopt;
    const auto weight = index_.constants.find(node.input(1));
    if (weight == index_.constants.end() || !is_float(*weight->second)) return std::nullopt;
    // A weight that several layers share must not change under the others.
    if (index_.readers.at(node.input(1)).size() != 1) return std::nullopt;
    const auto& dims = weight->second->dims();
    Weighted weighted{.node = &node, .weight = weight->second, .channels = dims[0], .rank = dims.size()};
    if (op == "Gemm") {
      if (node.attribute_size() > 0 || dims.size() != 2) return std::nullopt;
      weighted.kind = Kind::kProduct;
      weighted.channels = dims[1];
    }
    if (op == "ConvTranspose") {
      weighted.kind = Kind::kDeconvolution;
      weighted.channels = dims[1] * attribute_or(node, "group", 1);
    }
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
  std::optional<std::vector<double>> per_channel(const Weighted& weighted, const std::string& name) const {
    const auto found = index_.constants.find(name);
    if (found == index_.constants.end() || !is_float(*found->second)) return std::nullopt;
    const auto& dims = found->second->dims();
    if (dims.size() > weighted.rank) return std::nullopt;
    for (int i = 0; i < dims.size(); ++i) {
      const bool is_channel_axis = i + weighted.rank - dims.size() == 1;
      if (dims[i] != 1 && !(is_channel_axis && dims[i] == weighted.channels)) return std::nullopt;
    }
    const std::vector<float> floats = floats_of(*found->second);
    std::vector<double> values(floats.begin(), floats.end());
    if (values.size() == 1) values.assign(static_cast<std::size_t>(weighted.channels), values[0]);
    if (static_cast<std::int64_t>(values.size()) != weighted.channels) return std::nullopt;
    return values;
  }

  std::optional<Scaling> normalization_of(const Weighted& weighted, const onnx::NodeProto& node) const {
    if (node.input_size() != 5 || node.output_size() != 1 || attribute_or(node, "training_mode", 0) != 0)
      return std::nullopt;
    std::vector<std::vector<float>> values;
    for (int i = 1; i < 5; ++i) {
      const auto found = index_.constants.find(node.input(i));
      if (found == index_.constants.end() || !is_float(*found->second)) return std::nullopt;
      values.push_back(floats_of(*found->second));
      if (static_cast<std::int64_t>(values.back().size()) != weighted.channels) return std::nullopt;
    }
    double epsilon = 1e-5;
    for (const auto& attribute : node.attribute())
      if (attribute.name() == "epsilon") epsilon = double{attribute.f()};
    Scaling scaling;
    for (std::size_t c = 0; c < values[0].size(); ++c) {
      scaling.scale.push_back(values[0][c] / std::sqrt(values[3][c] + epsilon));
      scaling.shift.push_back(values[1][c] - values[2][c] * scaling.scale.back());
    }
    return scaling;
  }

  /// What the node behind a layer does to its channels, where it is that simple.
  std::optional<Scaling> scaling_of(const Weighted& weighted, const onnx::NodeProto& next) const {
    const std::string& op = next.op_type();
    if (!next.domain().empty()) return std::nullopt;
    if (op == "BatchNormalization") return normalization_of(weighted, next);
    if ((op != "Mul" && op != "Add" && op != "Sub") || next.input_size() != 2) return std::nullopt;
    const bool layer_is_left = next.input(0) == weighted.node->output(0);
    const auto operand = per_channel(weighted, next.input(layer_is_left ? 1 : 0));
    if (!operand || (op == "Sub" && !layer_is_left)) return std::nullopt;
    Scaling scaling{std::vector<double>(operand->size(), 1), std::vector<double>(operand->size(), 0)};
    for (std::size_t c = 0; c < operand->size(); ++c) {
      if (op == "Mul") scaling.scale[c] = (*operand)[c];
      if (op == "Add") scaling.shift[c] = (*operand)[c];
      if (op == "Sub") scaling.shift[c] = -(*operand)[c];
    }
    return scaling;
  }

  bool fold(const Weighted& weighted, onnx::NodeProto& next) {
    const auto scaling = scaling_of(weighted, next);
    if (!scaling) return false;
    std::vector<float> bias = bias_of(weighted);
    for (std::size_t c = 0; c < bias.size(); ++c)
      bias[c] = static_cast<float>(bias[c] * scaling->scale[c] + scaling->shift[c]);
    scale_weight(weighted, scaling->scale);
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

  void scale_weight(const Weighted& weighted, const std::vector<double>& scale) const {
    std::vector<float> values = floats_of(*weighted.weight);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::int64_t channel = weighted.channel_of(static_cast<std::int64_t>(i));
      values[i] = static_cast<float>(values[i] * scale[static_cast<std::size_t>(channel)]);
    }
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
