#include "worker/tensor/signature.h"

namespace noren::worker {

Shape sample_shape(const InputSignature& input) {
  if (!input.has_batch_axis || input.shape.empty()) return input.shape;
  return {input.shape.begin() + 1, input.shape.end()};
}

}  // namespace noren::worker
