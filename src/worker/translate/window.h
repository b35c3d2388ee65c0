// worker/translate/window.h - Sliding windows: what convolutions and poolings share. Private to this folder.
// All numbers come from the file: they are checked against the limits before anything is computed with them.
#pragma once

#include "worker/translate/layer.h"

namespace noren::worker {

/// One number for each spatial axis.
struct Window {
  Shape kernel;
  Shape stride;
  Shape dilation;
  Shape pad_begin;
  Shape pad_end;
  Shape output;

  std::vector<std::int64_t> pads() const;  ///< all beginnings, then all ends, as ONNX has them
};

/// The argument `name`: `axes_count` numbers of at least `minimum`. A list that the file leaves out is
/// `missing` each.
Result<Shape> window_argument(const Layer& layer, std::string_view name, std::size_t axes_count,
                              std::int64_t minimum, std::int64_t missing);

/// One number of at least 1 ("group", "multiplier"); what the file leaves out is 1.
Result<std::int64_t> positive_argument(const Layer& layer, std::string_view name);

/// The output's size of a convolution over `input`, whose window has kernel, stride, dilation and pads. The
/// reference divides towards zero: a window that is too wide by less than one stride still has one place,
/// beyond the end.
Status place_windows(const Layer& layer, const Shape& input, Window& window);

}  // namespace noren::worker
