// worker/translate/normalization.h - Normalisations as other layers use them. Private to this folder.
#pragma once

#include "worker/translate/layer.h"

namespace noren::worker {

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, where mean and variance are those of x itself over
/// all axes but `kept`. scale and bias broadcast to x; Value{} stands for none.
Value standardize(GraphBuilder& graph, const Value& x, std::vector<std::int64_t> kept, float epsilon,
                  const Value& scale, const Value& bias);

/// y, and behind it the mean and the variance of x over all axes but `kept` where the layer has outputs for
/// them.
std::vector<Value> with_statistics(const Layer& layer, const Value& y, const Value& x,
                                   const std::vector<std::int64_t>& kept);

struct BatchStatistics {
  Value beta, gamma;     ///< Value{} for none
  Value mean, variance;  ///< of training; not used where the batch's own are wanted
};
enum class Statistics : std::uint8_t { kOfTraining, kOfBatch };

/// Batch normalisation along one axis. Gives y, and mean and variance as with_statistics() does.
LayerOutputs normalize_batch(Layer& layer, const Value& x, const BatchStatistics& given, std::int64_t axis,
                             Statistics statistics);

}  // namespace noren::worker
