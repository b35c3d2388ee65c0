#include "worker/translate/window.h"

#include <algorithm>

#include "base/limits.h"

namespace noren::worker {
namespace {

/// Products of two numbers up to this one can't overflow.
constexpr std::int64_t kLargest = limits::kTensorElementsCount;

}  // namespace

std::vector<std::int64_t> Window::pads() const {
  std::vector<std::int64_t> all = pad_begin;
  all.insert(all.end(), pad_end.begin(), pad_end.end());
  return all;
}

Result<Shape> window_argument(const Layer& layer, std::string_view name, std::size_t axes_count,
                              std::int64_t minimum, std::int64_t missing) {
  const Shape& values = layer.arguments().integers(name);
  if (values.empty()) return Shape(axes_count, missing);
  const std::string place = std::string(name) + " " + to_string(values);
  if (values.size() != axes_count)
    return layer.refuse(place + ": " + std::to_string(axes_count) +
                        " numbers are needed, one for each spatial axis");
  for (const std::int64_t value : values) {
    if (value < minimum) return layer.refuse(place + ": at least " + std::to_string(minimum) + " is needed");
    if (value > kLargest)
      return layer.refuse(place + ": at most " + std::to_string(kLargest) + " is possible");
  }
  return values;
}

Result<std::int64_t> positive_argument(const Layer& layer, std::string_view name) {
  const std::int64_t value = layer.arguments().integer(name);
  if (value == 0) return 1;
  if (value < 0 || value > kLargest)
    return layer.refuse(std::string(name) + " " + std::to_string(value) + " is not possible");
  return value;
}

Status place_windows(const Layer& layer, const Shape& input, Window& window) {
  Shape padded, extent;
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (window.kernel[i] < 1)
      return layer.refuse("kernel " + to_string(window.kernel) + ": at least 1 is needed");
    padded.push_back(input[i] + window.pad_begin[i] + window.pad_end[i]);
    extent.push_back(window.dilation[i] * (window.kernel[i] - 1) + 1);
  }
  for (std::size_t i = 0; i < input.size(); ++i) {
    const std::int64_t places = (padded[i] - extent[i]) / window.stride[i] + 1;
    if (places < 1)
      return layer.refuse("kernel " + to_string(extent) + " is larger than the padded input " +
                          to_string(padded));
    const std::int64_t needed = (places - 1) * window.stride[i] + extent[i];
    window.pad_end[i] += std::max<std::int64_t>(needed - padded[i], 0);
    window.output.push_back(places);
  }
  return Ok{};
}

}  // namespace noren::worker
