// worker/translate/families.h - The families of layers, one file each. Private to this folder.
#pragma once

#include "worker/translate/layer.h"

namespace noren::worker {

LayerFamily affine_layers();
LayerFamily activation_layers();
LayerFamily stochastic_layers();
LayerFamily loss_layers();
LayerFamily validation_layers();
LayerFamily interpolation_layers();
LayerFamily geometric_layers();
LayerFamily special_layers();
LayerFamily box_selection_layers();
LayerFamily signal_layers();

}  // namespace noren::worker
