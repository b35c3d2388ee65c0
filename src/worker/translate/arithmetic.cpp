// Arithmetic between values, and between values and a number.
#include <algorithm>

#include "worker/translate/elementwise.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

/// All inputs in one sum or product, from the first to the last.
template <OperatorName op>
LayerOutputs fold(Layer& layer) {
  TRY(require_same_shapes(layer));
  Value result = layer.input(0);
  for (std::size_t i = 1; i < layer.inputs.size(); ++i)
    result = layer.graph.elementwise(op, result, layer.input(i));
  return std::vector{result};
}

/// x^val. The reference takes a square root for 0.5, which differs from a power at -0 and -infinity.
LayerOutputs power_scalar(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const double exponent = layer.arguments().real("val");
  if (exponent == 0.5) return std::vector{graph.unary("Sqrt", x)};
  if (exponent == 2.0) return std::vector{graph.multiply(x, x)};
  return with_scalar<"Pow">(layer);
}

constexpr Rows kRows = Rows::kIndependent;
constexpr LayerDefinition kLayers[] = {
    {"Add2", 2, 2, kRows, binary<"Add">},
    {"BcAdd2", 2, 2, kRows, binary<"Add">},
    {"AddN", 1, kAnyInputs, kRows, fold<"Add">},
    {"Sub2", 2, 2, kRows, binary<"Sub">},
    {"Mul2", 2, 2, kRows, binary<"Mul">},
    {"MulN", 1, kAnyInputs, kRows, fold<"Mul">},
    {"Div2", 2, 2, kRows, binary<"Div">},
    {"Pow2", 2, 2, kRows, binary<"Pow">},
    {"AddScalar", 1, 1, kRows, with_scalar<"Add">},
    {"MulScalar", 1, 1, kRows, with_scalar<"Mul">},
    {"PowScalar", 1, 1, kRows, power_scalar},
    {"RSubScalar", 1, 1, kRows, scalar_with<"Sub">},
    {"RDivScalar", 1, 1, kRows, scalar_with<"Div">},
    {"RPowScalar", 1, 1, kRows, scalar_with<"Pow">},
};

}  // namespace

LayerFamily arithmetic_layers() { return kLayers; }

}  // namespace noren::worker
