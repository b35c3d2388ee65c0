#include "worker/import/onnx_rows.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/model_file/text.h"

namespace noren::worker {
namespace {

using Integers = std::vector<std::int64_t>;

/// For list(): the list is an attribute in every opset.
constexpr int kNoInput = -1;

constexpr std::string_view kOneInput[] = {"Abs",
                                          "Acos",
                                          "Acosh",
                                          "Asin",
                                          "Asinh",
                                          "Atan",
                                          "Atanh",
                                          "Cast",
                                          "Ceil",
                                          "Celu",
                                          "Clip",
                                          "Cos",
                                          "Cosh",
                                          "Elu",
                                          "Erf",
                                          "Exp",
                                          "Floor",
                                          "Gelu",
                                          "HardSigmoid",
                                          "HardSwish",
                                          "Identity",
                                          "IsInf",
                                          "IsNaN",
                                          "LeakyRelu",
                                          "Log",
                                          "Mish",
                                          "Neg",
                                          "Not",
                                          "Reciprocal",
                                          "Relu",
                                          "Round",
                                          "Selu",
                                          "Sigmoid",
                                          "Sign",
                                          "Sin",
                                          "Sinh",
                                          "Softplus",
                                          "Softsign",
                                          "Sqrt",
                                          "Swish",
                                          "Tan",
                                          "Tanh",
                                          "ThresholdedRelu"};
constexpr std::string_view kElementwise[] = {
    "Add", "And",   "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
    "Max", "Mean",  "Min", "Mul",   "Or",      "PRelu",          "Pow",  "Sub",
    "Sum", "Where", "Xor"};
constexpr std::string_view kOverMaps[] = {"AveragePool",
                                          "Conv",
                                          "ConvTranspose",
                                          "DepthToSpace",
                                          "GlobalAveragePool",
                                          "GlobalMaxPool",
                                          "GroupNormalization",
                                          "InstanceNormalization",
                                          "LRN",
                                          "LpPool",
                                          "MaxPool",
                                          "SpaceToDepth"};
constexpr std::string_view kAlongAxis[] = {"Gather", "LayerNormalization", "LogSoftmax", "Softmax", "Split"};
constexpr std::string_view kReducing[] = {"ReduceL1",   "ReduceL2",        "ReduceMax",
                                          "ReduceMean", "ReduceMin",       "ReduceProd",
                                          "ReduceSum",  "ReduceSumSquare", "Squeeze"};

class RowWalk {
 public:
  RowWalk(onnx::ModelProto& model, const GraphShapes& shapes)
      : graph_(*model.mutable_graph()), shapes_(shapes) {
    for (const onnx::TensorProto& tensor : graph_.initializer()) {
      constants_[tensor.name()] = &tensor;
      known_.insert(tensor.name());
    }
  }

  std::string run(const ExecutorSignature& executor) {
    for (const InputSignature& input : executor.inputs) {
      ranks_[input.graph_name] = input.shape.size();
      known_.insert(input.graph_name);
    }
    for (const onnx::NodeProto& node : graph_.node()) {
      const bool is_in_order =
          std::all_of(node.input().begin(), node.input().end(),
                      [&](const std::string& name) { return name.empty() || known_.contains(name); });
      if (is_in_order && keeps_rows_apart(node)) {
        known_.insert(node.output().begin(), node.output().end());
        continue;
      }
      return "node " + quoted_name(node.name().empty() ? output_name(node) : node.name()) + " (" +
             shown_name(node.op_type()) + ") is not known to keep the rows of a batch apart";
    }
    for (const OutputSignature& output : executor.outputs)
      if (!is_row(output.graph_name))
        return "output " + quoted_name(output.name) + " has no row for each request";
    return {};
  }

 private:
  using Judge = bool (RowWalk::*)(const onnx::NodeProto&) const;

  static std::string output_name(const onnx::NodeProto& node) {
    return node.output_size() > 0 ? node.output(0) : std::string();
  }
  static std::string input_name(const onnx::NodeProto& node, int index) {
    return index < node.input_size() ? node.input(index) : std::string();
  }
  /// Depends on the request; then it has a row for each.
  bool is_row(const std::string& name) const { return ranks_.contains(name); }
  std::int64_t rank(const std::string& name) const {
    const auto row = ranks_.find(name);
    if (row != ranks_.end()) return static_cast<std::int64_t>(row->second);
    const auto known = shapes_.find(name);
    return known == shapes_.end() ? 0 : static_cast<std::int64_t>(known->second.size());
  }

  bool keeps_rows_apart(const onnx::NodeProto& node) {
    const bool is_fixed = std::none_of(node.input().begin(), node.input().end(),
                                       [&](const std::string& name) { return is_row(name); });
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (attribute.has_g() || attribute.graphs_size() > 0) return false;
    const std::string_view op = node.op_type();
    if (!node.domain().empty() && node.domain() != "ai.onnx") return false;
    if (is_fixed) {
      if (op == "Constant") remember(node);
      return std::find(std::begin(kDrawing), std::end(kDrawing), op) == std::end(kDrawing);
    }
    const Judge judge = judge_of(op);
    if (judge == nullptr || !(this->*judge)(node)) return false;
    for (const std::string& output : node.output()) {
      if (output.empty()) continue;
      const auto shape = shapes_.find(output);
      // Of one sample the first axis is 1 where it is the batch's; only first outputs have known shapes.
      if (output == node.output(0) &&
          (shape == shapes_.end() || shape->second.empty() || shape->second[0] != 1))
        return false;
      ranks_[output] =
          shape == shapes_.end() ? static_cast<std::size_t>(rank(node.output(0))) : shape->second.size();
    }
    return true;
  }

  void remember(const onnx::NodeProto& node) {
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (attribute.name() == "value" && attribute.has_t()) constants_[node.output(0)] = &attribute.t();
  }

  /// The integers of a constant.
  std::optional<Integers> integers(const std::string& name) const {
    const auto found = constants_.find(name);
    if (found == constants_.end() || found->second->data_type() != onnx::TensorProto::INT64)
      return std::nullopt;
    const onnx::TensorProto& tensor = *found->second;
    if (!tensor.has_raw_data()) return Integers(tensor.int64_data().begin(), tensor.int64_data().end());
    Integers values(tensor.raw_data().size() / sizeof(std::int64_t));
    if (!values.empty())
      std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(std::int64_t));
    return values;
  }
  /// A list that is an attribute in old opsets and an input in new ones.
  std::optional<Integers> list(const onnx::NodeProto& node, std::string_view attribute_name,
                               int input) const {
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (attribute.name() == attribute_name)
        return Integers(attribute.ints().begin(), attribute.ints().end());
    if (input == kNoInput || input_name(node, input).empty()) return std::nullopt;
    return integers(input_name(node, input));
  }
  static bool is_behind_rows(std::int64_t axis, std::int64_t rank) {
    return (axis < 0 ? axis + rank : axis) > 0;
  }
  bool axes_are_behind_rows(const onnx::NodeProto& node, int input, std::int64_t rank) const {
    const std::optional<Integers> axes = list(node, "axes", input);
    return axes && !axes->empty() && std::all_of(axes->begin(), axes->end(), [&](std::int64_t axis) {
             return is_behind_rows(axis, rank);
           });
  }
  bool only_first_is_row(const onnx::NodeProto& node) const {
    return is_row(node.input(0)) && std::none_of(node.input().begin() + 1, node.input().end(),
                                                 [&](const std::string& name) { return is_row(name); });
  }

  bool always(const onnx::NodeProto& node) const { return only_first_is_row(node); }

  /// Every operand lies under the rows: as many axes, the first of a constant is 1, or fewer of a constant.
  bool elementwise(const onnx::NodeProto& node) const {
    std::int64_t full = 0;
    for (const std::string& name : node.input()) full = std::max(full, rank(name));
    for (const std::string& name : node.input()) {
      if (is_row(name) ? rank(name) != full : rank(name) == full && first_axis(name) != 1) return false;
    }
    return true;
  }
  std::int64_t first_axis(const std::string& name) const {
    const auto shape = shapes_.find(name);
    return shape == shapes_.end() || shape->second.empty() ? 0 : shape->second[0];
  }

  bool over_maps(const onnx::NodeProto& node) const {
    return only_first_is_row(node) && rank(node.input(0)) >= 3 && node.output_size() == 1;
  }
  /// By factors alone, of which the rows' is 1.
  bool resize(const onnx::NodeProto& node) const {
    const bool has_roi = node.op_type() == "Resize" && node.input_size() > 2;
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (attribute.name() == "axes" || attribute.s() == "tf_crop_and_resize") return false;
    const auto scales = constants_.find(input_name(node, has_roi ? 2 : 1));
    if (!over_maps(node) || !input_name(node, 3).empty() || scales == constants_.end()) return false;
    const onnx::TensorProto& tensor = *scales->second;
    float first = tensor.float_data_size() > 0 ? tensor.float_data(0) : 0;
    if (tensor.raw_data().size() >= sizeof(first))
      std::memcpy(&first, tensor.raw_data().data(), sizeof(first));
    return tensor.data_type() == onnx::TensorProto::FLOAT && first == 1;
  }
  bool dropout(const onnx::NodeProto& node) const {
    return only_first_is_row(node) && input_name(node, 2).empty() && node.output_size() == 1;
  }
  bool batch_normalization(const onnx::NodeProto& node) const {
    return only_first_is_row(node) && node.output_size() == 1 &&
           attribute_or(node, "training_mode", 0) == 0 && rank(node.input(0)) >= 2;
  }
  bool gemm(const onnx::NodeProto& node) const {
    const std::string bias = input_name(node, 2);
    return only_first_is_row(node) && attribute_or(node, "transA", 0) == 0 &&
           (bias.empty() || rank(bias) < 2 || first_axis(bias) == 1);
  }
  /// A stack of matrices for each request with the same matrix, or with a stack of its own.
  bool matmul(const onnx::NodeProto& node) const {
    const std::string& a = node.input(0);
    const std::string& b = node.input(1);
    if (is_row(a) && !is_row(b)) return rank(a) >= 2 && rank(b) <= std::max<std::int64_t>(rank(a) - 1, 2);
    return rank(a) == rank(b) && is_row(a) && rank(a) >= 3;
  }
  bool along_axis(const onnx::NodeProto& node) const {
    const std::int64_t last = node.op_type() == "Split" || node.op_type() == "Gather" ? 0 : -1;
    return only_first_is_row(node) && is_behind_rows(attribute_or(node, "axis", last), rank(node.input(0)));
  }
  bool concat(const onnx::NodeProto& node) const {
    return std::all_of(node.input().begin(), node.input().end(),
                       [&](const std::string& name) { return is_row(name); }) &&
           is_behind_rows(attribute_or(node, "axis", 0), rank(node.input(0)));
  }
  bool reduce(const onnx::NodeProto& node) const {
    return only_first_is_row(node) && axes_are_behind_rows(node, 1, rank(node.input(0)));
  }
  bool unsqueeze(const onnx::NodeProto& node) const {
    const std::optional<Integers> axes = list(node, "axes", 1);
    return axes &&
           axes_are_behind_rows(node, 1, rank(node.input(0)) + static_cast<std::int64_t>(axes->size()));
  }
  bool slice(const onnx::NodeProto& node) const {
    return only_first_is_row(node) && axes_are_behind_rows(node, 3, rank(node.input(0)));
  }
  bool pad(const onnx::NodeProto& node) const {
    const std::optional<Integers> pads = list(node, "pads", 1);
    const auto rank_of_input = static_cast<std::size_t>(rank(node.input(0)));
    return only_first_is_row(node) && input_name(node, 3).empty() && pads &&
           pads->size() == 2 * rank_of_input && (*pads)[0] == 0 && (*pads)[rank_of_input] == 0;
  }
  bool transpose(const onnx::NodeProto& node) const {
    const std::optional<Integers> order = list(node, "perm", kNoInput);
    return order && !order->empty() && order->front() == 0;
  }
  bool flatten(const onnx::NodeProto& node) const { return attribute_or(node, "axis", 1) == 1; }
  /// The first length is taken over, or what is left once all others are said: of one sample, 1.
  bool reshape(const onnx::NodeProto& node) const {
    const std::optional<Integers> target = integers(input_name(node, 1));
    return only_first_is_row(node) && target && !target->empty() && attribute_or(node, "allowzero", 0) == 0 &&
           (target->front() == 0 ||
            (target->front() == -1 && std::all_of(target->begin() + 1, target->end(),
                                                  [](std::int64_t length) { return length > 0; })));
  }

  /// They answer otherwise each time, or for each row.
  static constexpr std::string_view kDrawing[] = {"Bernoulli",        "Dropout",          "Multinomial",
                                                  "RandomNormal",     "RandomNormalLike", "RandomUniform",
                                                  "RandomUniformLike"};
  static Judge judge_of(std::string_view op);

  onnx::GraphProto& graph_;
  const GraphShapes& shapes_;
  std::map<std::string, const onnx::TensorProto*, std::less<>> constants_;
  std::set<std::string, std::less<>> known_;               ///< what stands before a node
  std::map<std::string, std::size_t, std::less<>> ranks_;  ///< of what depends on the request
};

/// Null for an operator that is not known to keep rows apart.
RowWalk::Judge RowWalk::judge_of(std::string_view op) {
  static constexpr std::pair<std::string_view, Judge> kSingle[] = {
      {"BatchNormalization", &RowWalk::batch_normalization},
      {"Concat", &RowWalk::concat},
      {"Dropout", &RowWalk::dropout},
      {"Flatten", &RowWalk::flatten},
      {"Gemm", &RowWalk::gemm},
      {"MatMul", &RowWalk::matmul},
      {"Pad", &RowWalk::pad},
      {"Reshape", &RowWalk::reshape},
      {"Resize", &RowWalk::resize},
      {"Slice", &RowWalk::slice},
      {"Transpose", &RowWalk::transpose},
      {"Unsqueeze", &RowWalk::unsqueeze},
      {"Upsample", &RowWalk::resize},
  };
  for (const auto& [name, judge] : kSingle)
    if (name == op) return judge;
  static constexpr std::pair<std::span<const std::string_view>, Judge> kFamilies[] = {
      {kOneInput, &RowWalk::always},    {kElementwise, &RowWalk::elementwise},
      {kOverMaps, &RowWalk::over_maps}, {kAlongAxis, &RowWalk::along_axis},
      {kReducing, &RowWalk::reduce},
  };
  for (const auto& [ops, judge] : kFamilies)
    if (std::find(ops.begin(), ops.end(), op) != ops.end()) return judge;
  return nullptr;
}

/// Rows of different lengths could not be stacked, and values that a trial does not vary prove nothing.
std::string why_ports_refuse(const ExecutorSignature& executor) {
  if (executor.inputs.empty()) return "it has no input";
  for (const InputSignature& input : executor.inputs) {
    const std::string owner = "input " + quoted_name(input.name);
    if (!input.has_shape || !input.has_batch_axis) return owner + " has no free first axis for a batch";
    if (std::any_of(input.shape.begin(), input.shape.end(), [](std::int64_t length) { return length < 1; }))
      return owner + " has more free axes than the first";
    if (input.type != ElementType::kFloat32) return owner + " is not float32";
  }
  for (const OutputSignature& output : executor.outputs) {
    const std::string owner = "output " + quoted_name(output.name);
    if (!output.has_batch_axis) return owner + " has no free first axis for a batch";
    if (output.type != ElementType::kFloat32) return owner + " is not float32";
  }
  return {};
}

}  // namespace

std::string why_rows_depend(onnx::ModelProto& model, const GraphShapes& shapes,
                            const ExecutorSignature& executor) {
  if (std::string reason = why_ports_refuse(executor); !reason.empty()) return reason;
  if (model.functions_size() > 0) return "it defines operators of its own";
  if (model.graph().sparse_initializer_size() > 0) return "it has sparse weights";
  return RowWalk(model, shapes).run(executor);
}

}  // namespace noren::worker
