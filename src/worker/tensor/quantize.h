// worker/tensor/quantize.h - Rounding rules of quantising layers, for one number or a list.
// Used by the translator on parameters and by our operators on activations, so that both round alike. Pure,
// any thread. Source of the rules: the reference implementation's formulas, in its types (float, and double
// where it has double).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace noren::worker {

/// Whole multiples of `step`, half away from zero, clipped to [low, high].
struct FixedPointRule {
  float step, low, high;

  float operator()(float x) const {
    if (x > high) return high;
    if (x < low) return low;
    const float magnitude = static_cast<float>(std::floor(double{std::abs(x) / step} + 0.5)) * step;
    return x < 0 ? -magnitude : magnitude;
  }
};

enum class Sign : std::uint8_t { kKept, kDropped };
enum class Zero : std::uint8_t { kExists, kMissing };

/// Powers of two from `smallest` to `largest`, nearest by exponent.
struct PowerOfTwoRule {
  float smallest, largest, zero_below;
  Sign sign;
  Zero zero;

  float operator()(float x) const {
    const float size = std::abs(x);
    float power = std::pow(2.0F, std::round(std::log2(size)));
    if (power > largest)
      power = largest;
    else if (power < smallest)
      power = zero == Zero::kExists && size < zero_below ? 0.0F : smallest;
    if (!(x < 0)) return power;
    if (sign == Sign::kKept) return -power;
    return zero == Zero::kExists ? 0.0F : smallest;
  }
};

/// Sets to zero what is smaller than the element of this rank (by absolute value, smallest first); rate 1
/// drops all.
inline void prune(const float* x, float* y, std::size_t count, float rate) {
  if (count == 0) return;
  std::vector<float> sizes(count);
  for (std::size_t i = 0; i < count; ++i) sizes[i] = std::abs(x[i]);
  const auto rank = static_cast<std::ptrdiff_t>(static_cast<float>(count - 1) * rate);
  std::nth_element(sizes.begin(), sizes.begin() + rank, sizes.end());
  const float threshold = sizes[static_cast<std::size_t>(rank)] + (rate == 1.0F ? 1.0F : 0.0F);
  for (std::size_t i = 0; i < count; ++i) y[i] = std::abs(x[i]) < threshold ? 0.0F : x[i];
}

}  // namespace noren::worker
