#include "worker/model_file/statistics.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"

namespace noren::worker {
namespace {

/// What a coefficient multiplies.
enum class Basis {
  kInput,          ///< elements of the first input
  kOutput,         ///< elements of the first output
  kWindow,         ///< output elements x elements of the kernel
  kBias,           ///< output elements, where the layer has a bias
  kAffine,         ///< multiplications of a matrix product with the weight
  kConvolution,    ///< output elements x weights that reach one of them
  kDeconvolution,  ///< the same with the weight's axes exchanged
  kMatrix,         ///< output elements x length of the inner axis
  kSide,           ///< side n of a square matrix
  kSideSquared,    ///< n²
  kSideCubed,      ///< n³
  kInversion,      ///< n (n - 1)²
  kOnce,
};

struct Rule {
  std::string_view type;
  Basis basis;
  Cost coefficients;
};

// Per layer what the console's layer definitions say (sony/nnc-desktop, layer_component/*.txt, properties
// Cost*), and where these name a built-in quantity, what official numbers of sample projects follow.
constexpr Rule kRules[] = {
    // Neural network layers
    {"Affine", Basis::kBias, {.add = 1}},
    {"Affine", Basis::kAffine, {.multiply_add = 1}},
    {"Convolution", Basis::kBias, {.add = 1}},
    {"Convolution", Basis::kConvolution, {.multiply_add = 1}},
    {"DeformableConvolution", Basis::kBias, {.add = 1}},
    {"DeformableConvolution", Basis::kConvolution, {.multiply_add = 1}},
    {"DepthwiseConvolution", Basis::kBias, {.add = 1}},
    {"DepthwiseConvolution", Basis::kConvolution, {.multiply_add = 1}},
    {"Deconvolution", Basis::kBias, {.add = 1}},
    {"Deconvolution", Basis::kDeconvolution, {.multiply_add = 1}},
    {"DepthwiseDeconvolution", Basis::kBias, {.add = 1}},
    {"DepthwiseDeconvolution", Basis::kConvolution, {.multiply_add = 1}},
    {"BinaryConnectAffine", Basis::kAffine, {.add = 1}},
    {"BinaryWeightAffine", Basis::kAffine, {.add = 1}},
    {"BinaryConnectConvolution", Basis::kConvolution, {.add = 1}},
    {"BinaryWeightConvolution", Basis::kConvolution, {.add = 1}},
    // Pooling
    {"MaxPooling", Basis::kWindow, {.branch = 1}},
    {"AveragePooling", Basis::kInput, {.add = 1}},
    {"AveragePooling", Basis::kOutput, {.multiply = 1}},
    {"GlobalAveragePooling", Basis::kInput, {.add = 1}},
    {"GlobalAveragePooling", Basis::kOutput, {.multiply = 1}},
    {"SumPooling", Basis::kInput, {.add = 1}},
    // Activations
    {"Abs", Basis::kInput, {.branch = 1}},
    {"BinarySigmoid", Basis::kInput, {.add = 1, .multiply = 1, .branch = 1}},
    {"BinaryTanh", Basis::kInput, {.add = 2, .multiply = 2, .branch = 1}},
    {"CELU", Basis::kOutput, {.add = 1, .multiply = 1, .exp = 1, .branch = 1}},
    {"CReLU", Basis::kOutput, {.branch = 1}},
    {"ELU", Basis::kInput, {.add = 1, .multiply = 1, .exp = 1, .branch = 1}},
    {"GELU", Basis::kInput, {.add = 2, .multiply = 6, .exp = 2}},
    {"HardSigmoid", Basis::kInput, {.add = 1, .multiply = 1, .branch = 2}},
    {"HardTanh", Basis::kInput, {.branch = 2}},
    {"LeakyReLU", Basis::kInput, {.multiply = 1, .branch = 1}},
    {"LogSigmoid", Basis::kInput, {.add = 1, .division = 1, .exp = 2}},
    {"LogSoftmax", Basis::kInput, {.add = 1, .exp = 2}},
    {"Mish", Basis::kInput, {.add = 2, .multiply = 1, .division = 1, .exp = 3}},
    {"PReLU", Basis::kInput, {.multiply_add = 1, .branch = 1}},
    {"ReLU", Basis::kInput, {.branch = 1}},
    {"ReLU6", Basis::kInput, {.branch = 2}},
    {"SELU", Basis::kInput, {.add = 1, .multiply = 2, .exp = 1, .branch = 1}},
    {"Sigmoid", Basis::kInput, {.add = 1, .division = 1, .exp = 1}},
    {"Sinc", Basis::kInput, {.division = 1, .branch = 1}},
    {"SoftPlus", Basis::kInput, {.add = 1, .exp = 2}},
    {"SoftSign", Basis::kInput, {.add = 1, .division = 1, .branch = 1}},
    {"Softmax", Basis::kInput, {.add = 1, .division = 1, .exp = 1}},
    {"Swish", Basis::kInput, {.add = 1, .multiply = 1, .division = 1, .exp = 1}},
    {"Tanh", Basis::kInput, {.add = 2, .division = 1, .exp = 1}},
    {"TanhShrink", Basis::kInput, {.add = 3, .division = 1, .exp = 1}},
    // Arithmetic of two or more inputs
    {"Add2", Basis::kOutput, {.add = 1}},
    {"AddN", Basis::kOutput, {.add = 1}},
    {"Div2", Basis::kOutput, {.division = 1}},
    {"Maximum2", Basis::kOutput, {.branch = 1}},
    {"Minimum2", Basis::kOutput, {.branch = 1}},
    {"Mul2", Basis::kOutput, {.multiply = 1}},
    {"MulN", Basis::kOutput, {.multiply = 1}},
    {"Pow2", Basis::kOutput, {.multiply = 1, .exp = 2}},
    {"Sub2", Basis::kOutput, {.add = 1}},
    // Arithmetic with a number
    {"AddScalar", Basis::kInput, {.add = 1}},
    {"MaximumScalar", Basis::kInput, {.branch = 1}},
    {"MinimumScalar", Basis::kInput, {.branch = 1}},
    {"MulScalar", Basis::kInput, {.multiply = 1}},
    {"PowScalar", Basis::kInput, {.multiply = 1, .exp = 2}},
    {"RDivScalar", Basis::kInput, {.division = 1}},
    {"RPowScalar", Basis::kInput, {.multiply = 1, .exp = 2}},
    {"RSubScalar", Basis::kInput, {.add = 1}},
    // Comparison and logic
    {"Equal", Basis::kOutput, {.branch = 1}},
    {"EqualScalar", Basis::kInput, {.branch = 1}},
    {"Greater", Basis::kOutput, {.branch = 1}},
    {"GreaterEqual", Basis::kOutput, {.branch = 1}},
    {"GreaterEqualScalar", Basis::kInput, {.branch = 1}},
    {"GreaterScalar", Basis::kInput, {.branch = 1}},
    {"IsInf", Basis::kInput, {.branch = 1}},
    {"IsNaN", Basis::kInput, {.branch = 1}},
    {"Less", Basis::kOutput, {.branch = 1}},
    {"LessEqual", Basis::kOutput, {.branch = 1}},
    {"LessEqualScalar", Basis::kInput, {.branch = 1}},
    {"LessScalar", Basis::kInput, {.branch = 1}},
    {"LogicalAnd", Basis::kOutput, {.branch = 1}},
    {"LogicalAndScalar", Basis::kInput, {.branch = 1}},
    {"LogicalNot", Basis::kInput, {.branch = 1}},
    {"LogicalOr", Basis::kOutput, {.branch = 1}},
    {"LogicalOrScalar", Basis::kInput, {.branch = 1}},
    {"LogicalXor", Basis::kOutput, {.branch = 1}},
    {"LogicalXorScalar", Basis::kInput, {.branch = 1}},
    {"NotEqual", Basis::kOutput, {.branch = 1}},
    {"NotEqualScalar", Basis::kInput, {.branch = 1}},
    // Math
    {"BatchDet", Basis::kSide, {.multiply = 1}},
    {"BatchDet", Basis::kSideSquared, {.add = 1, .division = 1}},
    {"BatchDet", Basis::kSideCubed, {.multiply_add = 1}},
    {"BatchInv", Basis::kInversion, {.add = 1}},
    {"BatchInv", Basis::kSideCubed, {.multiply_add = 1}},
    {"BatchLogdet", Basis::kOnce, {.exp = 1}},
    {"BatchLogdet", Basis::kSide, {.multiply = 1}},
    {"BatchLogdet", Basis::kSideSquared, {.add = 1, .division = 1}},
    {"BatchLogdet", Basis::kSideCubed, {.multiply_add = 1}},
    {"BatchMatmul", Basis::kMatrix, {.multiply_add = 1}},
    {"CumProd", Basis::kInput, {.multiply = 1}},
    {"CumSum", Basis::kInput, {.add = 1}},
    {"Exp", Basis::kInput, {.exp = 1}},
    {"Log", Basis::kInput, {.exp = 1}},
    {"Max", Basis::kInput, {.branch = 1}},
    {"Mean", Basis::kInput, {.add = 1}},
    {"Min", Basis::kInput, {.branch = 1}},
    {"Norm", Basis::kInput, {.add = 1, .multiply = 2, .exp = 2}},
    {"Prod", Basis::kInput, {.multiply = 1}},
    {"Sign", Basis::kInput, {.branch = 1}},
    {"Sum", Basis::kInput, {.add = 1}},
    // Normalization
    {"BatchNormalization", Basis::kInput, {.add = 1, .multiply = 1}},
    {"FusedBatchNormalization", Basis::kInput, {.add = 1, .multiply = 1}},
    {"GroupNormalization", Basis::kInput, {.add = 4, .multiply = 3}},
    {"InstanceNormalization", Basis::kInput, {.add = 4, .multiply = 3}},
    {"LayerNormalization", Basis::kInput, {.add = 4, .multiply = 3}},
    {"MeanSubtraction", Basis::kInput, {.add = 1}},
    {"NormNormalization", Basis::kInput, {.add = 1, .multiply = 3, .exp = 2}},
    // Training layers
    {"Dropout", Basis::kInput, {.multiply = 1}},
    {"SigmoidCrossEntropy", Basis::kInput, {.add = 1, .division = 1, .exp = 1}},
    {"SoftmaxCrossEntropy", Basis::kInput, {.add = 1, .division = 1, .exp = 1}},
};

/// Layers whose main weight is stored as bits: 32 count as one scalar, and the copy 'Wb' not at all.
constexpr std::string_view kBinaryTypes[] = {"BinaryConnectAffine", "BinaryWeightAffine",
                                             "BinaryConnectConvolution", "BinaryWeightConvolution"};
/// Layers whose parameters the console does not count.
constexpr std::string_view kUncountedTypes[] = {"MeanSubtraction"};

template <std::size_t N>
bool contains(const std::string_view (&list)[N], std::string_view type) {
  return std::find(std::begin(list), std::end(list), type) != std::end(list);
}

constexpr std::array<double Cost::*, 8> kFields = {&Cost::output,   &Cost::parameter,    &Cost::add,
                                                   &Cost::multiply, &Cost::multiply_add, &Cost::division,
                                                   &Cost::exp,      &Cost::branch};

void add_scaled(Cost& sum, const Cost& cost, double factor) {
  for (const auto field : kFields) sum.*field += cost.*field * factor;
}

/// The console's sums are float32, so large totals are rounded at each step.
void add_as_console(Cost& sum, const Cost& cost) {
  for (const auto field : kFields) {
    sum.*field = static_cast<double>(static_cast<float>(sum.*field) + static_cast<float>(cost.*field));
  }
}

double product(const Shape& shape, std::size_t begin = 0) {
  double result = 1;
  for (std::size_t i = begin; i < shape.size(); ++i) result *= static_cast<double>(shape[i]);
  return result;
}

std::int64_t dimension(const Shape& shape, std::size_t axis) { return axis < shape.size() ? shape[axis] : 1; }

class Counter {
 public:
  Counter(const Design& design, const ShapeLookup& shape_of) : design_(design), shape_of_(shape_of) {
    for (const Design::Layer& layer : design.layers) {
      for (const std::string& output : layer.function.outputs) written_.insert(output);
      for (const std::string& input : layer.function.inputs) {
        readers_[input].push_back(&layer.function);
        const std::string_view unit = unit_of(layer.function);
        const auto [known, is_first] = reading_unit_.emplace(input, unit);
        if (!is_first && known->second != unit) known->second = {};
      }
    }
  }

  Statistics run() {
    Statistics statistics;
    count_variables(statistics);
    for (const Design::Layer& layer : design_.layers) {
      Cost cost;
      add_scaled(cost, cost_of(layer.function), layer.turns_count);
      statistics.functions.push_back({layer.function.name, layer.function.type, cost});
    }
    for (const FunctionCost& row : statistics.functions) add_as_console(statistics.total, row.cost);
    return statistics;
  }

 private:
  /// Empty where nobody knows.
  Shape shape_of(const std::string& name) const {
    const auto found = design_.variables.find(name);
    if (found != design_.variables.end() && !found->second.shape.empty()) {
      const Shape& declared = found->second.shape;
      if (std::all_of(declared.begin(), declared.end(), [](std::int64_t d) { return d > 0; }))
        return declared;
    }
    const Shape* inferred = shape_of_ ? shape_of_(name) : nullptr;
    return inferred == nullptr ? Shape{} : *inferred;
  }

  Shape input_shape(const Function& f, std::size_t index) const {
    return index < f.inputs.size() ? shape_of(f.inputs[index]) : Shape{};
  }
  Shape output_shape(const Function& f) const { return f.outputs.empty() ? Shape{} : shape_of(f.outputs[0]); }

  bool is_parameter(const std::string& name) const {
    const auto found = design_.variables.find(name);
    return found != design_.variables.end() && found->second.is_parameter;
  }

  /// A parameter drawn as a layer of its own has no scope in its name ("Parameter"); others are
  /// "Affine/affine/W".
  bool is_parameter_layer(const std::string& name) const {
    return is_parameter(name) && name.find('/') == std::string::npos;
  }

  /// Inputs that belong to one layer ("Delay_Initial", "SoftmaxCrossEntropy_T") are no layers of the drawing.
  bool is_side_input(const std::string& name) const {
    const auto readers = readers_.find(name);
    if (readers == readers_.end()) return false;
    for (const Function* reader : readers->second) {
      if (name.size() > reader->name.size() && name.starts_with(reader->name) &&
          name[reader->name.size()] == '_') {
        return true;
      }
    }
    return false;
  }

  void count_variables(Statistics& statistics) const {
    for (const auto& [name, variable] : design_.variables) {
      if (written_.contains(name) ||
          (!is_parameter_layer(name) && (variable.is_parameter || is_side_input(name)))) {
        continue;
      }
      const double size = product(shape_of(name));
      Cost cost;
      cost.output = size;
      if (variable.is_parameter || variable.is_initialized) cost.parameter = size;
      statistics.functions.push_back({name,
                                      variable.is_parameter     ? "Parameter"
                                      : variable.is_initialized ? "WorkingMemory"
                                                                : "Input",
                                      cost});
    }
  }

  /// "Unit/" of "Unit/Inner/Conv"; empty for a layer outside units.
  static std::string_view unit_of(const Function& f) {
    const std::size_t slash = f.name.find('/');
    return slash == std::string::npos ? std::string_view() : std::string_view(f.name).substr(0, slash + 1);
  }

  /// Layers inside a unit have its name before a '/'. The console shows the unit as one layer, whose output
  /// is what leaves it.
  double shown_output(const Function& f) const {
    const double size = product(output_shape(f));
    if (unit_of(f).empty() || f.outputs.empty()) return size;
    const auto readers = reading_unit_.find(f.outputs[0]);
    const bool stays_inside = readers != reading_unit_.end() && readers->second == unit_of(f);
    return stays_inside ? 0 : size;
  }

  double parameter_scalars(const Function& f) const {
    if (contains(kUncountedTypes, f.type)) return 0;
    const bool is_binary = contains(kBinaryTypes, f.type);
    const std::size_t binary_bias =
        f.type.starts_with("BinaryWeight") ? 4 : 3;  // behind 'Wb' and maybe alpha
    double sum = 0;
    for (std::size_t i = 0; i < f.inputs.size(); ++i) {
      if (!is_parameter(f.inputs[i]) || is_parameter_layer(f.inputs[i])) continue;
      const double size = product(shape_of(f.inputs[i]));
      if (!is_binary) {
        sum += size;
      } else if (i == 1) {
        sum += static_cast<double>(static_cast<std::int64_t>(std::min(size, 1e18)) / 32);
      } else if (i == binary_bias) {
        sum += size;
      }
    }
    return sum;
  }

  bool has_bias(const Function& f) const {
    for (std::size_t i = 2; i < f.inputs.size(); ++i) {
      if (is_parameter(f.inputs[i])) return true;
    }
    return false;
  }

  double basis_of(const Function& f, Basis basis) const {
    const Shape weight = input_shape(f, 1);
    const double outputs = product(output_shape(f));
    const auto side = static_cast<double>(input_shape(f, 0).empty() ? 1 : input_shape(f, 0).back());
    switch (basis) {
      case Basis::kInput: return product(input_shape(f, 0));
      case Basis::kOutput: return outputs;
      case Basis::kWindow:
        return outputs * (f.arguments.defines("kernel") ? product(f.arguments.shape("kernel")) : 1);
      case Basis::kBias: return has_bias(f) ? outputs : 0;
      case Basis::kAffine: return outputs * static_cast<double>(dimension(weight, 0));
      case Basis::kConvolution: return outputs * product(weight, 1);
      case Basis::kDeconvolution: return deconvolution_products(f, weight, outputs);
      case Basis::kMatrix: return outputs * inner_length(f);
      case Basis::kSide: return side;
      case Basis::kSideSquared: return side * side;
      case Basis::kSideCubed: return side * side * side;
      case Basis::kInversion: return side * (side - 1) * (side - 1);
      case Basis::kOnce: return 1;
    }
    return 0;
  }

  static double deconvolution_products(const Function& f, const Shape& weight, double outputs) {
    const std::int64_t group = f.arguments.defines("group") ? f.arguments.integer("group") : 1;
    return outputs * static_cast<double>(dimension(weight, 0) / std::max<std::int64_t>(group, 1)) *
           product(weight, 2);
  }

  double inner_length(const Function& f) const {
    const Shape a = input_shape(f, 0);
    if (a.size() < 2) return 1;
    const bool transposed = f.arguments.defines("transpose_a") && f.arguments.boolean("transpose_a");
    return static_cast<double>(a[a.size() - (transposed ? 2 : 1)]);
  }

  Cost cost_of(const Function& f) const {
    Cost cost;
    cost.output = shown_output(f);
    cost.parameter = parameter_scalars(f);
    for (const Rule& rule : kRules) {
      if (rule.type == f.type) add_scaled(cost, rule.coefficients, basis_of(f, rule.basis));
    }
    return cost;
  }

  const Design& design_;
  const ShapeLookup& shape_of_;
  std::set<std::string_view> written_;
  std::map<std::string_view, std::vector<const Function*>> readers_;
  /// The unit that all readers of a variable are in; empty where there is no such one.
  std::map<std::string_view, std::string_view> reading_unit_;
};

}  // namespace

Statistics network_statistics(const Executor& executor, const ShapeLookup& shape_of) {
  CHECK(executor.design != nullptr);
  return Counter(*executor.design, shape_of).run();
}

Cost sum_of(const std::vector<Cost>& costs) {
  Cost sum;
  for (const Cost& cost : costs) add_as_console(sum, cost);
  return sum;
}

double used_parameter_scalars(const Executor& executor) {
  double sum = 0;
  for (const Function& f : executor.network.functions) {
    for (const std::string& input : f.inputs) {
      const auto variable = executor.network.variables.find(input);
      if (variable != executor.network.variables.end() && variable->second.kind == VariableKind::kParameter) {
        sum += product(variable->second.shape);
      }
    }
  }
  return sum;
}

}  // namespace noren::worker
