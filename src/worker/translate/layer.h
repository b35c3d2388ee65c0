// worker/translate/layer.h - A layer's definition: how one function of a network becomes ONNX.
// Adding a layer is one entry in a family's table: type, number of inputs, whether rows stay independent, a
// translation of a few lines, and what a user must know about its exactness. The guide's table of layers is
// made from these entries.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "worker/model_file/network.h"
#include "worker/translate/graph.h"

namespace noren::worker {

/// One function of a network while it is translated.
struct Layer {
  const Function& function;
  std::vector<Value> inputs;
  GraphBuilder& graph;

  const Arguments& arguments() const { return function.arguments; }
  const Value& input(std::size_t index) const { return inputs.at(index); }
  bool has_input(std::size_t index) const { return index < inputs.size() && !inputs[index].name.empty(); }
  /// "layer 'conv1' (Convolution): <why>"; the code tells a damaged model (invalid) from one that is not
  /// supported.
  Error refuse(std::string_view why) const;
  Error not_supported(std::string_view why) const;
  /// The values of input `index`, which must be known while translating (a parameter): else an error that
  /// says so.
  Result<std::shared_ptr<const Tensor>> constant_input(std::size_t index, std::string_view role) const;
};

/// Axis in [0, rank): negative ones count from the end. Errors name the layer.
Result<std::int64_t> resolve_axis(const Layer& layer, std::int64_t axis, std::int64_t rank);
Result<std::vector<std::int64_t>> resolve_axes(const Layer& layer, const std::vector<std::int64_t>& axes,
                                               std::int64_t rank);

using LayerOutputs = Result<std::vector<Value>>;
using TranslateLayer = LayerOutputs (*)(Layer& layer);

/// Whether each row (axis 0) of the outputs depends on the same row of the inputs alone.
enum class Rows : std::uint8_t {
  kIndependent,  ///< always
  kByArguments,  ///< `rows_independent` decides, from the arguments and shapes
  kDependent,    ///< never: a network with it is not batched
};

enum class Randomness : std::uint8_t { kNone, kDraws };

struct LayerDefinition {
  std::string_view type;  ///< "Affine"
  int inputs_min = 1;
  int inputs_max = 1;  ///< kAnyInputs: no upper bound
  Rows rows = Rows::kIndependent;
  TranslateLayer translate = nullptr;
  Randomness randomness = Randomness::kNone;
  bool (*rows_independent)(const Layer& layer) = nullptr;
  /// For the guide; empty: exact up to float32 rounding.
  std::string_view note = {};
};
inline constexpr int kAnyInputs = 1 << 20;

/// A family of layers: one file, one table. The families are listed in registry.cpp.
using LayerFamily = std::span<const LayerDefinition>;
struct NamedFamily {
  std::string_view name;  ///< "Activation functions"
  LayerFamily layers;
};
std::span<const NamedFamily> all_families();

/// Null where the type is unknown.
const LayerDefinition* find_layer(std::string_view type);
/// A known type that no published model can run.
struct LayerRefusal {
  std::string_view type;
  std::string_view why;
};
std::span<const LayerRefusal> all_refusals();
/// Why a known type is refused at import ("needs a GPU in the reference too"); empty where it is not on that
/// list.
std::string_view refusal_reason(std::string_view type);

}  // namespace noren::worker
