#include "worker/engine/operators/families.h"

namespace noren::worker {

std::vector<OperatorDefinition> all_operators() {
  std::vector<OperatorDefinition> all;
  for (const OperatorFamily family :
       {indexing_operators(), matrix_operators(), detection_operators(), image_augmentation_operators(),
        random_image_operators(), random_operators(), quantize_operators(), sampling_operators(),
        selection_operators(), window_operators()})
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

}  // namespace noren::worker
