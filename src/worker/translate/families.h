// worker/translate/families.h - The families of layers, one file each. Private to this folder.
#pragma once

#include "worker/translate/layer.h"

namespace noren::worker {

LayerFamily affine_layers();
LayerFamily convolution_layers();
LayerFamily fused_convolution_layers();
LayerFamily sampled_convolution_layers();
LayerFamily pooling_layers();
LayerFamily embed_layers();
LayerFamily recurrent_layers();
LayerFamily normalization_layers();
LayerFamily weight_normalization_layers();
LayerFamily quantize_layers();
LayerFamily quantized_weight_layers();
LayerFamily activation_layers();
LayerFamily arithmetic_layers();
LayerFamily logical_layers();
LayerFamily math_layers();
LayerFamily reduction_layers();
LayerFamily array_layers();
LayerFamily array_border_layers();
LayerFamily indexing_layers();
LayerFamily sequence_layers();
LayerFamily matrix_layers();
LayerFamily stochastic_layers();
LayerFamily loss_layers();
LayerFamily validation_layers();
LayerFamily interpolation_layers();
LayerFamily geometric_layers();
LayerFamily special_layers();
LayerFamily box_selection_layers();
LayerFamily signal_layers();

}  // namespace noren::worker
