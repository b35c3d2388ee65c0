#include "worker/model_file/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "worker/model_file/statistics_rules.h"

namespace noren::worker {
namespace {

/// Layers whose main weight is stored as bits: 32 count as one scalar, and the copy 'Wb' not at all. Their
/// scale 'alpha', which the console's networks don't have, neither.
constexpr double kBitsPerScalar = 32;
constexpr std::string_view kBinaryTypes[] = {"BinaryConnectAffine", "BinaryWeightAffine",
                                             "BinaryConnectConvolution", "BinaryWeightConvolution"};
/// Layers whose parameters the console does not count: their definitions have no CostParameter.
constexpr std::string_view kUncountedTypes[] = {"MeanSubtraction", "MinMaxQuantize", "SpectralNorm",
                                                "WeightNormalization"};

/// The layers that a network file holds for one LSTM of the console, by name and type. It counts the layer as
/// a whole (layer_component/Unit/LSTM.txt); a unit of the user's own counts what is inside it.
constexpr std::pair<std::string_view, std::string_view> kLstmLayers[] = {
    {"RecurrentInput", "RecurrentInput"},
    {"C", "Delay"},
    {"H", "Delay"},
    {"Concatenate", "Concatenate"},
    {"Affine", "Affine"},
    {"IGate", "Affine"},
    {"FGate", "Affine"},
    {"OGate", "Affine"},
    {"Tanh", "Tanh"},
    {"Sigmoid", "Sigmoid"},
    {"Sigmoid_2", "Sigmoid"},
    {"Sigmoid_4", "Sigmoid"},
    {"Mul2", "Mul2"},
    {"Mul2_2", "Mul2"},
    {"Add2", "Add2"},
    {"Tanh_2", "Tanh"},
    {"Mul2_3", "Mul2"},
    {"RecurrentOutput", "RecurrentOutput"},
};

template <std::size_t N>
bool contains(const std::string_view (&list)[N], std::string_view type) {
  return std::find(std::begin(list), std::end(list), type) != std::end(list);
}

constexpr std::array<double Cost::*, 8> kFields = {&Cost::output,   &Cost::parameter,    &Cost::add,
                                                   &Cost::multiply, &Cost::multiply_add, &Cost::division,
                                                   &Cost::exp,      &Cost::branch};

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
    find_lstms();
  }

  Statistics run() {
    Statistics statistics;
    count_variables(statistics);
    for (const Design::Layer& layer : design_.layers) {
      Cost cost;
      add_scaled(cost, cost_of(layer.function), layer.turns_count);
      if (const auto unit = lstm_turns_.find(scope_of(layer.function)); unit != lstm_turns_.end())
        count_in_lstm(layer, unit->second, cost);
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

  /// "Unit/Inner/" of "Unit/Inner/Conv"; empty for a layer outside units.
  static std::string_view scope_of(const Function& f) {
    return std::string_view(f.name).substr(0, f.name.rfind('/') + 1);
  }

  void find_lstms() {
    std::map<std::string_view, std::set<std::pair<std::string_view, std::string_view>>> scopes;
    std::map<std::string_view, double> turns;
    for (const Design::Layer& layer : design_.layers) {
      const Function& f = layer.function;
      const std::string_view scope = scope_of(f), name = std::string_view(f.name).substr(scope.size());
      scopes[scope].emplace(name, f.type);
      if (f.type == "RecurrentOutput") turns[scope] = layer.turns_count;
    }
    static const std::set<std::pair<std::string_view, std::string_view>> kLayers(std::begin(kLstmLayers),
                                                                                 std::end(kLstmLayers));
    for (const auto& [scope, layers] : scopes)
      if (!scope.empty() && layers == kLayers) lstm_turns_[scope] = turns[scope];
  }

  /// Products and biases of the four matrices, whose parameters count once for all steps.
  void count_in_lstm(const Design::Layer& layer, double turns_count, Cost& cost) const {
    Cost counted{.output = cost.output};
    if (layer.function.type == "Affine") {
      counted.parameter = parameter_scalars(layer.function) * turns_count;
      counted.add = cost.add;
      counted.multiply_add = cost.multiply_add;
    }
    cost = counted;
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
    double sum = 0;
    for (std::size_t i = 0; i < f.inputs.size(); ++i) {
      if (!is_parameter(f.inputs[i]) || is_parameter_layer(f.inputs[i])) continue;
      const double size = product(shape_of(f.inputs[i]));
      const bool is_behind_wb = i > 2 && !f.inputs[i].ends_with("alpha");
      if (is_binary && i == 1)
        sum += std::ceil(size / kBitsPerScalar);
      else if (!is_binary || is_behind_wb)
        sum += size;
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
      case Basis::kFourier: return product(input_shape(f, 0)) * fourier_stages(f);
      case Basis::kNormalizedFourier:
        return f.arguments.defines("normalized") && f.arguments.boolean("normalized")
                   ? product(input_shape(f, 0))
                   : 0;
      case Basis::kSeparable:
        return outputs * static_cast<double>(dimension(input_shape(f, 1), 1)) *
               static_cast<double>(dimension(input_shape(f, 2), 1));
      case Basis::kRecurrence: return recurrent_scalars(f).weights;
      case Basis::kRecurrenceBias: return recurrent_scalars(f).biases;
      case Basis::kOnce: return 1;
    }
    return 0;
  }

  static double deconvolution_products(const Function& f, const Shape& weight, double outputs) {
    const std::int64_t group = f.arguments.defines("group") ? f.arguments.integer("group") : 1;
    // A whole number: groups share the channels evenly.
    const std::int64_t channels_of_group = dimension(weight, 0) / std::max<std::int64_t>(group, 1);
    return outputs * static_cast<double>(channels_of_group) * product(weight, 2);
  }

  double inner_length(const Function& f) const {
    const Shape a = input_shape(f, 0);
    if (a.size() < 2) return 1;
    const bool transposed = f.arguments.defines("transpose_a") && f.arguments.boolean("transpose_a");
    return static_cast<double>(a[a.size() - (transposed ? 2 : 1)]);
  }

  /// Of a fast Fourier transform over the last axes; the one behind them holds real and imaginary parts.
  double fourier_stages(const Function& f) const {
    const Shape x = input_shape(f, 0);
    const auto last = static_cast<std::int64_t>(x.size()) - 1;
    const std::int64_t axes = f.arguments.defines("signal_ndim") ? f.arguments.integer("signal_ndim") : 0;
    double stages = 0;
    for (std::int64_t axis = axes < last ? last - std::max<std::int64_t>(axes, 0) : 0; axis < last; ++axis)
      stages += std::ceil(std::log2(static_cast<double>(x[static_cast<std::size_t>(axis)])));
    return stages;
  }

  struct RecurrentScalars {
    double weights = 0, biases = 0;
  };

  /// Scalars that all steps use: of the matrices and of the biases, which have the rank of the first matrix.
  RecurrentScalars recurrent_scalars(const Function& f) const {
    const std::size_t first = f.type == "LSTM" ? 3 : 2;  // behind the input and the initial states
    const Shape x = input_shape(f, 0), weight = input_shape(f, first);
    const double steps = x.size() == 3 ? static_cast<double>(x[0]) * static_cast<double>(x[1]) : 0;
    RecurrentScalars scalars{.weights = steps * product(weight)};
    for (std::size_t i = first + 1; i < f.inputs.size(); ++i) {
      const Shape shape = input_shape(f, i);
      (shape.size() == weight.size() ? scalars.biases : scalars.weights) += steps * product(shape);
    }
    return scalars;
  }

  Cost cost_of(const Function& f) const {
    Cost cost;
    cost.output = shown_output(f);
    cost.parameter = parameter_scalars(f);
    for (const CostRule& rule : cost_rules()) {
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
  /// Scopes that are the console's LSTM, and how often the loops around them run it.
  std::map<std::string_view, double> lstm_turns_;
};

}  // namespace

void add_scaled(Cost& sum, const Cost& cost, double factor) {
  for (const auto field : kFields) sum.*field += cost.*field * factor;
}

Statistics network_statistics(const Executor& executor, const ShapeLookup& shape_of) {
  CHECK(executor.design != nullptr);
  return Counter(*executor.design, shape_of).run();
}

Cost sum_of(const std::vector<Cost>& costs) {
  Cost sum;
  for (const Cost& cost : costs) add_as_console(sum, cost);
  return sum;
}

std::int64_t whole_count(double count) {
  constexpr double kEnd = 0x1p63;
  if (std::isnan(count)) return 0;
  if (count >= kEnd) return std::numeric_limits<std::int64_t>::max();
  return count < -kEnd ? std::numeric_limits<std::int64_t>::min() : static_cast<std::int64_t>(count);
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
