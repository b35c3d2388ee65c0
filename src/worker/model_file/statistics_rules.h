// worker/model_file/statistics_rules.h - What each layer counts, as data. Private to statistics. Constant
// data, any thread.
#pragma once

#include <span>
#include <string_view>

#include "worker/model_file/statistics.h"

namespace noren::worker {

/// What a coefficient multiplies.
enum class Basis {
  kInput,              ///< elements of the first input
  kOutput,             ///< elements of the first output
  kWindow,             ///< output elements x elements of the kernel
  kBias,               ///< output elements, where the layer has a bias
  kAffine,             ///< multiplications of a matrix product with the weight
  kConvolution,        ///< output elements x weights that reach one of them
  kDeconvolution,      ///< the same with the weight's axes exchanged
  kMatrix,             ///< output elements x length of the inner axis
  kSide,               ///< side n of a square matrix
  kSideSquared,        ///< n²
  kSideCubed,          ///< n³
  kInversion,          ///< n (n - 1)²
  kFourier,            ///< elements of the first input x stages of the fast transform over its last axes
  kNormalizedFourier,  ///< elements of the first input, where the transform is normalized
  kSeparable,          ///< output elements x lengths of the kernel of each
  kRecurrence,         ///< steps x weights
  kRecurrenceBias,     ///< steps x biases
  kOnce,
};

struct CostRule {
  std::string_view type;
  Basis basis;
  Cost coefficients;
};

/// Adds each count of `cost`, times `factor`.
void add_scaled(Cost& sum, const Cost& cost, double factor);

/// One layer can have several.
std::span<const CostRule> cost_rules();

}  // namespace noren::worker
