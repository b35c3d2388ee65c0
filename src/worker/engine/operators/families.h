// worker/engine/operators/families.h - The families of our operators, one file each. Private to this folder.
#pragma once

#include <span>

#include "worker/engine/operators/operator.h"

namespace noren::worker {

using OperatorFamily = std::span<const OperatorDefinition>;

OperatorFamily detection_operators();
OperatorFamily image_augmentation_operators();
OperatorFamily indexing_operators();
OperatorFamily matrix_operators();
OperatorFamily random_image_operators();
OperatorFamily random_operators();
OperatorFamily quantize_operators();
OperatorFamily sampling_operators();
OperatorFamily window_operators();
OperatorFamily selection_operators();

}  // namespace noren::worker
