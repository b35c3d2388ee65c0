// worker/engine/sample_inputs.h - Inputs that nobody sent: to try a model before callers meet it.
// Used by import and by workers that try a version, on the worker's one thread.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "worker/tensor/signature.h"

namespace noren::worker {

/// Whether an input has an axis whose length only a caller knows.
bool has_free_axis(const ExecutorSignature& executor);

/// One request; `free_length` stands in for free axes. Empty where an input would be too large to be tried.
std::vector<Tensor> sample_inputs(const ExecutorSignature& executor, std::int64_t free_length,
                                  std::mt19937& generator);

}  // namespace noren::worker
