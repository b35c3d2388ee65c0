#include "worker/import/onnx_statistics.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <onnx/onnx_pb.h>

#include "base/check.h"
#include "worker/model_file/statistics_rules.h"

namespace noren::worker {
namespace {

struct Counterpart {
  std::string_view op, layer;
};

/// Operators and the layers of the console that do the same.
constexpr Counterpart kCounterparts[] = {
    {"Abs", "Abs"},
    {"Add", "Add2"},
    {"And", "LogicalAnd"},
    {"AveragePool", "AveragePooling"},
    {"BatchNormalization", "BatchNormalization"},
    {"Celu", "CELU"},
    {"Clip", "ReLU6"},
    {"Conv", "Convolution"},
    {"ConvTranspose", "Deconvolution"},
    {"CumSum", "CumSum"},
    {"Det", "BatchDet"},
    {"Div", "Div2"},
    {"Dropout", "Dropout"},
    {"Elu", "ELU"},
    {"Equal", "Equal"},
    {"Exp", "Exp"},
    {"GRU", "GRU"},
    {"Gelu", "GELU"},
    {"Gemm", "Affine"},
    {"GlobalAveragePool", "GlobalAveragePooling"},
    {"GlobalMaxPool", "Max"},
    {"Greater", "Greater"},
    {"GreaterOrEqual", "GreaterEqual"},
    {"GroupNormalization", "GroupNormalization"},
    {"HardSigmoid", "HardSigmoid"},
    {"InstanceNormalization", "InstanceNormalization"},
    {"IsInf", "IsInf"},
    {"IsNaN", "IsNaN"},
    {"LSTM", "LSTM"},
    {"LayerNormalization", "LayerNormalization"},
    {"LeakyRelu", "LeakyReLU"},
    {"Less", "Less"},
    {"LessOrEqual", "LessEqual"},
    {"Log", "Log"},
    {"LogSoftmax", "LogSoftmax"},
    {"LpNormalization", "NormNormalization"},
    {"MatMul", "BatchMatmul"},
    {"Max", "Maximum2"},
    {"MaxPool", "MaxPooling"},
    {"Min", "Minimum2"},
    {"Mish", "Mish"},
    {"Mul", "Mul2"},
    {"Neg", "MulScalar"},
    {"Not", "LogicalNot"},
    {"Or", "LogicalOr"},
    {"PRelu", "PReLU"},
    {"Pow", "Pow2"},
    {"RNN", "RNN"},
    {"Reciprocal", "RDivScalar"},
    {"ReduceL2", "Norm"},
    {"ReduceMax", "Max"},
    {"ReduceMean", "Mean"},
    {"ReduceMin", "Min"},
    {"ReduceProd", "Prod"},
    {"ReduceSum", "Sum"},
    {"Relu", "ReLU"},
    {"Selu", "SELU"},
    {"Sigmoid", "Sigmoid"},
    {"Sign", "Sign"},
    {"Softmax", "Softmax"},
    {"Softplus", "SoftPlus"},
    {"Softsign", "SoftSign"},
    {"Sqrt", "PowScalar"},
    {"Sub", "Sub2"},
    {"Sum", "AddN"},
    {"Swish", "Swish"},
    {"Tanh", "Tanh"},
    {"Xor", "LogicalXor"},
};

/// What moves, rounds or looks up values: the console counts no operations for such layers, nor for
/// trigonometry.
constexpr std::string_view kFree[] = {
    "Acos",     "Acosh",    "Asin",           "Asinh",    "Atan",         "Atanh",
    "Cast",     "CastLike", "Ceil",           "Concat",   "Constant",     "ConstantOfShape",
    "Cos",      "Cosh",     "DepthToSpace",   "Expand",   "EyeLike",      "Flatten",
    "Floor",    "Gather",   "GatherElements", "GatherND", "Identity",     "OneHot",
    "Pad",      "Range",    "Reshape",        "Resize",   "Round",        "Shape",
    "Sin",      "Sinh",     "Size",           "Slice",    "SpaceToDepth", "Split",
    "Squeeze",  "Tan",      "Tile",           "TopK",     "Transpose",    "Unsqueeze",
    "Upsample", "Where",
};

double product(const Shape& shape, std::size_t begin = 0) {
  double result = 1;
  for (std::size_t i = begin; i < shape.size(); ++i) result *= static_cast<double>(shape[i]);
  return result;
}

double axis_of(const Shape& shape, std::size_t axis) {
  return axis < shape.size() ? static_cast<double>(shape[axis]) : 1;
}

std::int64_t count_of(const onnx::TensorProto& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : tensor.dims()) count *= dimension;
  return count;
}

class Counter {
 public:
  Counter(onnx::GraphProto& graph, const GraphShapes& shapes)
      : graph_(graph), index_(graph), shapes_(shapes) {}

  OnnxStatistics run(const ExecutorSignature& executor) {
    OnnxStatistics result;
    auto& rows = result.statistics.functions;
    for (const InputSignature& input : executor.inputs)
      rows.push_back({input.name, "Input", {.output = size_of(input.graph_name).value_or(0)}});
    for (const onnx::NodeProto& node : graph_.node()) {
      if (node.op_type() == "Constant" || node.output_size() == 0) continue;
      Cost cost{.output = shown_output(node), .parameter = parameters_of(node)};
      if (!count_operations(node, cost)) result.uncounted.insert(node.op_type());
      rows.push_back({node.name().empty() ? node.output(0) : node.name(), node.op_type(), cost});
    }
    std::vector<Cost> costs;
    costs.reserve(rows.size());
    for (const FunctionCost& row : rows) costs.push_back(row.cost);
    result.statistics.total = sum_of(costs);
    return result;
  }

 private:
  /// Nothing where a length depends on the request.
  std::optional<Shape> shape_of(const std::string& name) const {
    const auto found = shapes_.find(name);
    if (found == shapes_.end() ||
        std::any_of(found->second.begin(), found->second.end(), [](std::int64_t d) { return d < 0; }))
      return std::nullopt;
    return found->second;
  }
  std::optional<double> size_of(const std::string& name) const {
    const std::optional<Shape> shape = shape_of(name);
    return shape ? std::optional(product(*shape)) : std::nullopt;
  }
  static std::string input_name(const onnx::NodeProto& node, int index) {
    return index < node.input_size() ? node.input(index) : std::string();
  }

  double parameters_of(const onnx::NodeProto& node) const {
    double sum = 0;
    for (const std::string& input : node.input())
      if (const auto found = index_.constants.find(input); found != index_.constants.end())
        sum += static_cast<double>(count_of(*found->second));
    return sum;
  }

  /// A change of shape beside a Gemm is a part of one affine layer, as the reference exports it.
  double shown_output(const onnx::NodeProto& node) const {
    static constexpr std::string_view kViews[] = {"Flatten", "Reshape", "Squeeze", "Unsqueeze"};
    if (std::find(std::begin(kViews), std::end(kViews), node.op_type()) != std::end(kViews)) {
      const onnx::NodeProto* reader = index_.only_reader(node.output(0));
      const auto writer = index_.writer.find(input_name(node, 0));
      if ((reader != nullptr && reader->op_type() == "Gemm") ||
          (writer != index_.writer.end() && writer->second->op_type() == "Gemm"))
        return 0;
    }
    return size_of(node.output(0)).value_or(0);
  }

  /// False where nobody can tell what the node costs.
  bool count_operations(const onnx::NodeProto& node, Cost& cost) const {
    const bool is_standard = node.domain().empty() || node.domain() == "ai.onnx";
    if (!is_standard) return false;
    const std::string_view op = node.op_type();
    if (std::find(std::begin(kFree), std::end(kFree), op) != std::end(kFree)) return true;
    const auto counterpart = std::find_if(std::begin(kCounterparts), std::end(kCounterparts),
                                          [&](const Counterpart& row) { return row.op == op; });
    if (counterpart == std::end(kCounterparts)) return false;
    for (const CostRule& rule : cost_rules()) {
      if (rule.type != counterpart->layer) continue;
      const std::optional<double> factor = basis_of(node, rule.basis);
      if (!factor) return false;
      add_scaled(cost, rule.coefficients, *factor);
    }
    return true;
  }

  std::optional<double> basis_of(const onnx::NodeProto& node, Basis basis) const {
    const std::optional<Shape> input = shape_of(input_name(node, 0)), output = shape_of(node.output(0));
    if (basis == Basis::kOnce) return 1;
    if (basis == Basis::kRecurrence || basis == Basis::kRecurrenceBias) return recurrence(node, basis);
    if (!input || !output) return std::nullopt;
    const double outputs = product(*output), side = axis_of(*input, input->empty() ? 0 : input->size() - 1);
    switch (basis) {
      case Basis::kInput: return product(*input);
      case Basis::kOutput: return outputs;
      case Basis::kWindow: return outputs * kernel_of(node);
      case Basis::kBias: return input_name(node, 2).empty() ? 0 : outputs;
      case Basis::kMatrix: return outputs * side;
      case Basis::kAffine: return outputs * axis_of(*input, attribute_or(node, "transA", 0) == 0 ? 1 : 0);
      case Basis::kSide: return side;
      case Basis::kSideSquared: return side * side;
      case Basis::kSideCubed: return side * side * side;
      default: break;
    }
    const std::optional<Shape> weight = shape_of(input_name(node, 1));
    if (!weight) return std::nullopt;
    if (basis == Basis::kConvolution) return outputs * product(*weight, 1);
    CHECK(basis == Basis::kDeconvolution);
    const double groups = static_cast<double>(std::max<std::int64_t>(attribute_or(node, "group", 1), 1));
    return outputs * axis_of(*weight, 0) / groups * product(*weight, 2);
  }

  /// Steps of all samples x scalars. A bias of ONNX has a half for the input and one for the state.
  std::optional<double> recurrence(const onnx::NodeProto& node, Basis basis) const {
    const std::optional<Shape> input = shape_of(input_name(node, 0));
    const std::optional<double> weight = size_of(input_name(node, 1)), state = size_of(input_name(node, 2));
    if (!input || !weight || !state) return std::nullopt;
    const double steps = axis_of(*input, 0) * axis_of(*input, 1);
    if (basis == Basis::kRecurrence) return steps * (*weight + *state);
    return steps * size_of(input_name(node, 3)).value_or(0) / 2;
  }

  static double kernel_of(const onnx::NodeProto& node) {
    double size = 1;
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (attribute.name() == "kernel_shape")
        for (const std::int64_t length : attribute.ints()) size *= static_cast<double>(length);
    return size;
  }

  onnx::GraphProto& graph_;
  GraphIndex index_;
  const GraphShapes& shapes_;
};

}  // namespace

OnnxStatistics onnx_statistics(onnx::GraphProto& graph, const GraphShapes& shapes,
                               const ExecutorSignature& executor) {
  return Counter(graph, shapes).run(executor);
}

}  // namespace noren::worker
