// Affine and Convolution whose weights are rounded before they are used.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "worker/translate/convolution.h"
#include "worker/translate/families.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

Status check_same_shape(const Layer& layer, const Value& other, std::string_view role) {
  if (other.shape == layer.input(1).shape) return Ok{};
  return layer.refuse("the " + std::string(role) + " are " + to_string(other.shape) + ", the weight is " +
                      to_string(layer.input(1).shape));
}

Value optional_input(const Layer& layer, std::size_t index) {
  return layer.has_input(index) ? layer.input(index) : Value{};
}

LayerOutputs affine_with(Layer& layer, const Value& weight, const Value& bias) {
  ASSIGN_OR_RETURN(const Value y, affine_transform(layer, layer.input(0), weight, bias));
  return std::vector{y};
}

LayerOutputs convolution_with(Layer& layer, const Value& weight, const Value& bias) {
  ASSIGN_OR_RETURN(const ConvolutionForm form, read_convolution(layer, layer.input(0)));
  ASSIGN_OR_RETURN(const Value y, convolve(layer, form, layer.input(0), weight, bias));
  return std::vector{y};
}

/// 1, -1, or what a zero shall become.
Value signs(const Layer& layer, const Value& weight) {
  GraphBuilder& graph = layer.graph;
  const auto zero_to = static_cast<float>(layer.arguments().real("quantize_zero_to"));
  if (weight.constant != nullptr) {
    const float* from = weight.constant->data<float>();
    std::vector<float> values(static_cast<std::size_t>(weight.count()));
    const auto sign = [&](float w) { return w > 0 ? 1.0F : (w < 0 ? -1.0F : zero_to); };
    std::transform(from, from + weight.count(), values.begin(), sign);
    return graph.floats(weight.shape, std::move(values));
  }
  const Value zero = graph.scalar(0);
  const Value negative = graph.elementwise("Less", weight, zero, ElementType::kBool);
  const Value positive = graph.elementwise("Greater", weight, zero, ElementType::kBool);
  const Value rest = graph.node("Where", {negative, graph.scalar(-1), graph.scalar(zero_to)}, weight.shape);
  return graph.node("Where", {positive, graph.scalar(1), rest}, weight.shape);
}

/// The weights' signs, made of `weight`: what the file stores as binary weights is not used.
Result<Value> binary_weight(const Layer& layer) {
  TRY(check_same_shape(layer, layer.input(2), "binary weights"));
  return signs(layer, layer.input(1));
}

/// Signs times the mean size of each output's weights; an output is a column of the matrix, or a row of it.
Result<Value> scaled_binary_weight(const Layer& layer, std::int64_t summed_axis) {
  GraphBuilder& graph = layer.graph;
  const Value& weight = layer.input(1);
  TRY(check_same_shape(layer, layer.input(2), "binary weights"));
  if (weight.rank() < 1) return layer.refuse("the weight has no axes");
  const std::int64_t rows = weight.shape[0];
  const Shape matrix = {rows, weight.count() / rows};
  const std::int64_t outputs = matrix[summed_axis == 0 ? 1 : 0];
  if (layer.input(3).count() != outputs)
    return layer.refuse("alpha is " + to_string(layer.input(3).shape) + ", " + std::to_string(outputs) +
                        " numbers are needed");
  const Value flat = graph.reshape(weight, matrix);
  const Value mean =
      graph.reduce("ReduceMean", graph.unary("Abs", flat), {summed_axis}, GraphBuilder::KeepAxes::kYes);
  return graph.reshape(graph.multiply(signs(layer, flat), mean), weight.shape);
}

LayerOutputs binary_connect_affine(Layer& layer) {
  ASSIGN_OR_RETURN(const Value weight, binary_weight(layer));
  return affine_with(layer, weight, optional_input(layer, 3));
}
LayerOutputs binary_connect_convolution(Layer& layer) {
  ASSIGN_OR_RETURN(const Value weight, binary_weight(layer));
  return convolution_with(layer, weight, optional_input(layer, 3));
}
LayerOutputs binary_weight_affine(Layer& layer) {
  ASSIGN_OR_RETURN(const Value weight, scaled_binary_weight(layer, 0));
  return affine_with(layer, weight, optional_input(layer, 4));
}
LayerOutputs binary_weight_convolution(Layer& layer) {
  ASSIGN_OR_RETURN(const Value weight, scaled_binary_weight(layer, 1));
  return convolution_with(layer, weight, optional_input(layer, 4));
}

/// Incremental network quantisation: which weights are fixed, after what the first run would fix besides.
class FixedWeights {
 public:
  FixedWeights(const Tensor& weight, const Tensor& indicators)
      : weights_(weight.data<float>(), weight.data<float>() + weight.count()) {
    for (std::int64_t i = 0; i < weight.count(); ++i)
      fixed_.push_back(static_cast<int>(indicators.data<float>()[i]));
  }

  void fix_all() { std::fill(fixed_.begin(), fixed_.end(), 1); }

  /// Half of the free weights, those of the largest size first.
  void fix_largest_half() {
    std::vector<std::size_t> order(weights_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return std::abs(weights_[a]) > std::abs(weights_[b]); });
    const auto free_count = std::count(fixed_.begin(), fixed_.end(), 0);
    std::ptrdiff_t newly_fixed = 0;
    for (const std::size_t index : order) {
      if (fixed_[index] == 0) {
        fixed_[index] = 1;
        ++newly_fixed;
      }
      if (newly_fixed >= free_count / 2) break;
    }
  }

  void fix_random_half(std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::bernoulli_distribution coin(0.5);
    for (int& flag : fixed_)
      if (flag == 0) flag = coin(generator) ? 1 : 0;
  }

  /// Fixed weights become 0 or a power of two, of which there are as many as `bits` can tell.
  std::vector<float> rounded(int bits) const {
    float largest = 0;
    for (const float weight : weights_) largest = std::max(largest, std::abs(weight));
    if (largest == 0) largest = 1;
    const float exponent = std::log2(largest);
    const int high =
        static_cast<int>(std::floor(exponent)) + (exponent - std::floor(exponent) >= std::log2(1.5) ? 1 : 0);
    const int low = high + 1 - static_cast<int>(std::pow(2, bits - 2));
    const auto zero_below = static_cast<float>(std::pow(2, low - 1));
    std::vector<float> result = weights_;
    for (std::size_t i = 0; i < result.size(); ++i)
      if (fixed_[i] == 1) result[i] = power_of_two(result[i], low, high, zero_below);
    return result;
  }

 private:
  static float power_of_two(float weight, int low, int high, float zero_below) {
    if (std::abs(weight) < zero_below) return 0;
    const float exponent = std::log2(std::abs(weight));
    const auto half =
        static_cast<float>(0.58496250072115619);  // log2(1.5): the arithmetic mean of two powers
    int power = static_cast<int>(std::floor(exponent)) + (exponent - std::floor(exponent) >= half ? 1 : 0);
    if (power > high) power = high;
    if (power < low) power = low;
    return std::ldexp(weight < 0 ? -1.0F : 1.0F, power);
  }

  std::vector<float> weights_;
  std::vector<int> fixed_;
};

/// What the first run after loading does: later runs of the reference would go on counting, requests here do
/// not.
Result<Value> inq_weight(const Layer& layer) {
  const Arguments& arguments = layer.arguments();
  TRY(check_same_shape(layer, layer.input(2), "indicators"));
  ASSIGN_OR_RETURN(const auto weight, layer.constant_input(1, "weight"));
  ASSIGN_OR_RETURN(const auto indicators, layer.constant_input(2, "indicators"));
  const std::int64_t bits = arguments.integer("num_bits");
  if (bits < 1 || bits > 32)
    return layer.refuse("num_bits " + std::to_string(bits) + " is not between 1 and 32");
  const std::string& selection = arguments.text("selection_algorithm");
  if (selection != "largest_abs" && selection != "random")
    return layer.not_supported("its selection_algorithm '" + selection +
                               "' is neither largest_abs nor random");
  FixedWeights weights(*weight, *indicators);
  const auto& turns = arguments.integers("inq_iterations");
  if (std::find(turns.begin(), turns.end(), 0) != turns.end()) {
    if (turns.back() == 0)
      weights.fix_all();
    else if (selection == "largest_abs")
      weights.fix_largest_half();
    else
      weights.fix_random_half(static_cast<std::uint32_t>(arguments.integer("seed")));
  }
  return layer.graph.floats(weight->shape(), weights.rounded(static_cast<int>(bits)));
}

LayerOutputs inq_affine(Layer& layer) {
  ASSIGN_OR_RETURN(const Value weight, inq_weight(layer));
  return affine_with(layer, weight, optional_input(layer, 3));
}
LayerOutputs inq_convolution(Layer& layer) {
  ASSIGN_OR_RETURN(const Value weight, inq_weight(layer));
  return convolution_with(layer, weight, optional_input(layer, 3));
}

constexpr std::string_view kFirstRun =
    "Weights are rounded as in the first run after loading. With selection_algorithm random and no seed, the "
    "weights "
    "to be fixed are drawn once, at import.";

constexpr LayerDefinition kLayers[] = {
    {"BinaryConnectAffine", 3, 4, Rows::kByArguments, binary_connect_affine, Randomness::kNone,
     rows_stand_before_base_axis},
    {"BinaryConnectConvolution", 3, 4, Rows::kByArguments, binary_connect_convolution, Randomness::kNone,
     rows_stand_before_base_axis},
    {"BinaryWeightAffine", 4, 5, Rows::kByArguments, binary_weight_affine, Randomness::kNone,
     rows_stand_before_base_axis},
    {"BinaryWeightConvolution", 4, 5, Rows::kByArguments, binary_weight_convolution, Randomness::kNone,
     rows_stand_before_base_axis},
    {"INQAffine", 3, 4, Rows::kByArguments, inq_affine, Randomness::kNone, rows_stand_before_base_axis,
     kFirstRun},
    {"INQConvolution", 3, 4, Rows::kByArguments, inq_convolution, Randomness::kNone,
     rows_stand_before_base_axis, kFirstRun},
};

}  // namespace

LayerFamily quantized_weight_layers() { return kLayers; }

}  // namespace noren::worker
