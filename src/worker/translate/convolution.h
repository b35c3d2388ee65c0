// worker/translate/convolution.h - Convolution and Affine as other layers use them. Private to this folder.
#pragma once

#include "worker/translate/window.h"

namespace noren::worker {

/// The arguments of a convolution, before the weight says how large its kernel is.
struct ConvolutionForm {
  std::int64_t base_axis = 1;
  std::size_t spatial_axes_count = 0;
  Window window;  ///< without kernel and output
  std::int64_t group = 1;
  bool channel_last = false;
};

/// From base_axis, pad, stride, dilation, and group and channel_last where the layer has them.
Result<ConvolutionForm> read_convolution(const Layer& layer, const Value& x);
/// The same but for pad, which is left to the caller.
Result<ConvolutionForm> read_convolution_without_pad(const Layer& layer, const Value& x);

/// weight: (outputs, inputs / group, kernel…); bias: (outputs) or Value{}.
Result<Value> convolve(Layer& layer, const ConvolutionForm& form, const Value& x, const Value& weight,
                       const Value& bias);

/// y = x W + b: x flattened to (axes before base_axis, the rest), W to (rows, outputs); bias may be Value{}.
Result<Value> affine_transform(Layer& layer, const Value& x, const Value& weight, const Value& bias);

}  // namespace noren::worker
