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

#include "worker/import/onnx_lengths.h"
#include "worker/model_file/text.h"

namespace noren::worker {
namespace {

using Integers = Lengths::List;

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
      lengths_.add_constant(tensor.name(), tensor);
      ranks_[tensor.name()] = tensor.dims_size();
      known_.insert(tensor.name());
    }
  }

  std::string run(const ExecutorSignature& executor) {
    for (const InputSignature& input : executor.inputs) {
      rows_.insert(input.graph_name);
      ranks_[input.graph_name] = static_cast<std::int64_t>(input.shape.size());
      known_.insert(input.graph_name);
    }
    for (const onnx::NodeProto& node : graph_.node()) {
      const std::string owner = "node " + quoted_name(node.name().empty() ? output_name(node) : node.name()) +
                                " (" + shown_name(node.op_type()) + ")";
      const auto unknown =
          std::find_if(node.input().begin(), node.input().end(),
                       [&](const std::string& name) { return !name.empty() && !known_.contains(name); });
      if (unknown != node.input().end())
        return owner + " reads " + quoted_name(*unknown) + ", which no node before it writes";
      if (!keeps_rows_apart(node)) return owner + " is not known to keep the rows of a batch apart";
      known_.insert(node.output().begin(), node.output().end());
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
  bool is_row(const std::string& name) const { return rows_.contains(name); }
  /// Judges are asked only where the ranks of all inputs are known: -1 is that of an input left out.
  std::int64_t rank(const std::string& name) const {
    const auto found = ranks_.find(name);
    return found == ranks_.end() ? -1 : found->second;
  }

  bool keeps_rows_apart(const onnx::NodeProto& node) {
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (attribute.has_g() || attribute.graphs_size() > 0) return false;
    const std::string_view op = node.op_type();
    if (!node.domain().empty() && node.domain() != "ai.onnx") return false;
    const bool counts_rows =
        std::any_of(node.input().begin(), node.input().end(),
                    [&](const std::string& name) { return lengths_.depends_on_rows_count(name); });
    if (std::none_of(node.input().begin(), node.input().end(),
                     [&](const std::string& name) { return is_row(name); })) {
      learn_fixed(node);
      return lengths_.follow(node) || (!counts_rows && !is_one_of(kDrawing, op));
    }
    if (op == "Shape") return reads_shape(node);
    if (counts_rows && op != "Reshape") return false;
    const Judge judge = judge_of(op);
    const bool all_ranks_are_known =
        std::all_of(node.input().begin(), node.input().end(),
                    [&](const std::string& name) { return name.empty() || ranks_.contains(name); });
    if (judge == nullptr || !all_ranks_are_known || !(this->*judge)(node)) return false;
    for (const std::string& output : node.output()) {
      if (output.empty()) continue;
      // Of one sample the first axis is 1 where it is the batch's.
      const auto shape = shapes_.find(output);
      if (shape == shapes_.end() || shape->second.empty() || shape->second[0] != 1) return false;
      rows_.insert(output);
      ranks_[output] = static_cast<std::int64_t>(shape->second.size());
    }
    return true;
  }

  /// The engine gives no length for a scalar, nor for a value of which it does not know how many axes it has.
  void learn_fixed(const onnx::NodeProto& node) {
    const bool of_scalars =
        (is_one_of(kOneInput, node.op_type()) || is_one_of(kElementwise, node.op_type())) &&
        std::all_of(node.input().begin(), node.input().end(), [&](const std::string& name) {
          const auto found = ranks_.find(name);
          return name.empty() || (found != ranks_.end() && found->second == 0);
        });
    for (const std::string& output : node.output()) {
      const auto shape = shapes_.find(output);
      if (output.empty() || shape == shapes_.end()) continue;
      if (!shape->second.empty() || of_scalars || node.op_type() == "Constant")
        ranks_[output] = static_cast<std::int64_t>(shape->second.size());
    }
    if (node.op_type() == "Constant") remember(node);
  }
  template <std::size_t kCount>
  static bool is_one_of(const std::string_view (&ops)[kCount], std::string_view op) {
    return std::find(std::begin(ops), std::end(ops), op) != std::end(ops);
  }

  void remember(const onnx::NodeProto& node) {
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.name() != "value" || !attribute.has_t()) continue;
      constants_[node.output(0)] = &attribute.t();
      lengths_.add_constant(node.output(0), attribute.t());
    }
  }
  bool reads_shape(const onnx::NodeProto& node) {
    const auto shape = shapes_.find(node.input(0));
    if (shape == shapes_.end() || !lengths_.read_shape(node, shape->second)) return false;
    ranks_[node.output(0)] = 1;
    return true;
  }

  /// Integers that are the same for every batch.
  std::optional<Integers> integers(const std::string& name) const {
    const Integers* const list = lengths_.find(name);
    return list == nullptr || lengths_.depends_on_rows_count(name) ? std::nullopt : std::optional(*list);
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
    return std::all_of(node.input().begin(), node.input().end(), [&](const std::string& name) {
      return is_row(name) ? rank(name) == full : rank(name) < full || first_axis(name) == 1;
    });
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
    const std::string a = input_name(node, 0), b = input_name(node, 1);
    if (is_row(a) && !is_row(b) && rank(b) >= 0)
      return rank(a) >= 2 && rank(b) <= std::max<std::int64_t>(rank(a) - 1, 2);
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
    return axes && is_row(node.input(0)) &&
           axes_are_behind_rows(node, 1, rank(node.input(0)) + static_cast<std::int64_t>(axes->size()));
  }
  bool slice(const onnx::NodeProto& node) const {
    return only_first_is_row(node) && axes_are_behind_rows(node, 3, rank(node.input(0)));
  }
  bool pad(const onnx::NodeProto& node) const {
    if (!only_first_is_row(node)) return false;
    const std::optional<Integers> pads = list(node, "pads", 1);
    const auto rank_of_input = static_cast<std::size_t>(rank(node.input(0)));
    return input_name(node, 3).empty() && pads && pads->size() == 2 * rank_of_input && (*pads)[0] == 0 &&
           (*pads)[rank_of_input] == 0;
  }
  bool transpose(const onnx::NodeProto& node) const {
    const std::optional<Integers> order = list(node, "perm", kNoInput);
    return order && !order->empty() && order->front() == 0;
  }
  bool flatten(const onnx::NodeProto& node) const { return attribute_or(node, "axis", 1) == 1; }
  /// The first length is taken over, or that of the batch, or what is left once all others are said: of one
  /// sample, 1.
  bool reshape(const onnx::NodeProto& node) const {
    const Integers* const target = lengths_.find(input_name(node, 1));
    if (!only_first_is_row(node) || target == nullptr || target->empty()) return false;
    const bool others_are_fixed = std::none_of(target->begin() + 1, target->end(), [](std::int64_t length) {
      return length == Lengths::kRowsCount;
    });
    const bool others_are_said =
        std::all_of(target->begin() + 1, target->end(), [](std::int64_t length) { return length > 0; });
    if (attribute_or(node, "allowzero", 0) != 0 && std::ranges::find(*target, 0) != target->end())
      return false;
    return others_are_fixed && (target->front() == 0 || target->front() == Lengths::kRowsCount ||
                                (target->front() == -1 && others_are_said));
  }

  /// They answer otherwise each time, or for each row.
  static constexpr std::string_view kDrawing[] = {"Bernoulli",        "Dropout",          "Multinomial",
                                                  "RandomNormal",     "RandomNormalLike", "RandomUniform",
                                                  "RandomUniformLike"};
  static Judge judge_of(std::string_view op);

  onnx::GraphProto& graph_;
  const GraphShapes& shapes_;
  std::map<std::string, const onnx::TensorProto*, std::less<>> constants_;
  Lengths lengths_;
  std::set<std::string, std::less<>> known_;                ///< what stands before a node
  std::set<std::string, std::less<>> rows_;                 ///< what depends on the request
  std::map<std::string, std::int64_t, std::less<>> ranks_;  ///< as far as they are known
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
    const auto least = std::min_element(input.shape.begin(), input.shape.end());
    if (least != input.shape.end() && *least < 0) return owner + " has more free axes than the first";
    if (least != input.shape.end() && *least == 0) return owner + " has an axis of length 0";
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
