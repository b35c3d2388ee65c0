#include <array>
#include <unordered_map>

#include "base/check.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

// Known functions that no published model can run, and why.
constexpr LayerRefusal kRefusals[] = {
    {"SyncBatchNormalization",
     "it is for training on several machines: it needs a communicator between processes"},
    {"FFT", "the reference implementation has it for GPUs only"},
    {"IFFT", "the reference implementation has it for GPUs only"},
    {"MaxPoolingBackward", "it is a gradient, for training only"},
    {"Unique", "the size of its output depends on the data, which a network from a file can't have"},
    {"BitShift", "it needs unsigned integers, and a network from a file has floating-point data"},
    {"Sink", "it has no output of its own: it only ties others together while training"},
};

}  // namespace

std::span<const NamedFamily> all_families() {
  static const std::array kFamilies = {
      NamedFamily{"Neural network layers", affine_layers()},
      NamedFamily{"Neural network layers", convolution_layers()},
      NamedFamily{"Neural network layers", fused_convolution_layers()},
      NamedFamily{"Neural network layers", sampled_convolution_layers()},
      NamedFamily{"Neural network layers", pooling_layers()},
      NamedFamily{"Neural network layers", embed_layers()},
      NamedFamily{"Neural network layers", recurrent_layers()},
      NamedFamily{"Normalization", normalization_layers()},
      NamedFamily{"Normalization", weight_normalization_layers()},
      NamedFamily{"Quantization", quantize_layers()},
      NamedFamily{"Quantization", quantized_weight_layers()},
      NamedFamily{"Activation functions", activation_layers()},
      NamedFamily{"Reduction", reduction_layers()},
      NamedFamily{"Arithmetic", arithmetic_layers()},
      NamedFamily{"Logic", logical_layers()},
      NamedFamily{"Math", math_layers()},
      NamedFamily{"Arrays", array_layers()},
      NamedFamily{"Array borders", array_border_layers()},
      NamedFamily{"Indexing and sorting", indexing_layers()},
      NamedFamily{"Sequences", sequence_layers()},
      NamedFamily{"Matrices", matrix_layers()},
      NamedFamily{"Stochasticity", stochastic_layers()},
      NamedFamily{"Loss functions", loss_layers()},
      NamedFamily{"Validation", validation_layers()},
      NamedFamily{"Interpolation", interpolation_layers()},
      NamedFamily{"Geometric layers", geometric_layers()},
      NamedFamily{"Special use", special_layers()},
      NamedFamily{"Box selection", box_selection_layers()},
      NamedFamily{"Signal processing", signal_layers()},
  };
  return kFamilies;
}

const LayerDefinition* find_layer(std::string_view type) {
  static const auto kByType = [] {
    std::unordered_map<std::string_view, const LayerDefinition*> map;
    for (const NamedFamily& family : all_families())
      for (const LayerDefinition& layer : family.layers) {
        const bool inserted = map.emplace(layer.type, &layer).second;
        CHECK(inserted);
      }
    return map;
  }();
  const auto found = kByType.find(type);
  return found == kByType.end() ? nullptr : found->second;
}

std::span<const LayerRefusal> all_refusals() { return kRefusals; }

std::string_view refusal_reason(std::string_view type) {
  for (const LayerRefusal& refusal : kRefusals)
    if (refusal.type == type) return refusal.why;
  return {};
}

}  // namespace noren::worker
