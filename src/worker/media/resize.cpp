#include "worker/media/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/limits.h"

namespace noren::worker {
namespace {

// Weights of 8-bit pictures are whole numbers of this precision: 32 bits less 8 for a pixel and 2 for the
// sum's head room.
constexpr int kPrecisionBits = 32 - 8 - 2;

constexpr std::int64_t kTallFactor = 100;

/// Which source pixels make one target pixel, and how much of each.
template <typename Weight>
struct Weights {
  std::int64_t count = 0;  ///< room for each target pixel; the unused ones are zero
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> used;
  std::vector<Weight> values;
};

/// The triangle filter of half width 1, widened by the factor of shrinking, pixel centres at one half;
/// weights sum to 1.
Weights<double> triangle_weights(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double widening = std::max(scale, 1.0);
  const double support = widening;
  Weights<double> weights;
  weights.count = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  weights.first.resize(static_cast<std::size_t>(to));
  weights.used.resize(static_cast<std::size_t>(to));
  weights.values.resize(static_cast<std::size_t>(to * weights.count));
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const auto last = std::min<std::int64_t>(static_cast<std::int64_t>(centre + support + 0.5), from);
    double* values = weights.values.data() + i * weights.count;
    double sum = 0;
    for (std::int64_t x = 0; x < last - first; ++x) {
      const double distance = std::abs((static_cast<double>(x + first) - centre + 0.5) * (1.0 / widening));
      values[x] = distance < 1.0 ? 1.0 - distance : 0.0;
      sum += values[x];
    }
    for (std::int64_t x = 0; x < last - first; ++x)
      if (sum != 0.0) values[x] /= sum;
    weights.first[static_cast<std::size_t>(i)] = first;
    weights.used[static_cast<std::size_t>(i)] = last - first;
  }
  return weights;
}

Weights<std::int32_t> fixed_point(const Weights<double>& weights) {
  Weights<std::int32_t> fixed{weights.count, weights.first, weights.used, {}};
  fixed.values.reserve(weights.values.size());
  for (const double value : weights.values)
    fixed.values.push_back(static_cast<std::int32_t>(0.5 + value * (1 << kPrecisionBits)));
  return fixed;
}

// What a pass adds up, and how a sum becomes a pixel again.
struct Pixel8 {
  using Value = std::uint8_t;
  using Weight = std::int32_t;
  using Sum = std::int32_t;
  static constexpr Sum kStart = 1 << (kPrecisionBits - 1);
  static Value rounded(Sum sum) { return static_cast<Value>(std::clamp(sum >> kPrecisionBits, 0, 255)); }
};
struct Pixel16 {
  using Value = std::uint16_t;
  using Weight = double;
  using Sum = double;
  static constexpr Sum kStart = 0.5;
  static Value rounded(Sum sum) { return static_cast<Value>(std::clamp(sum, 0.0, 65535.0)); }
};

/// One row, `kChannels` interleaved values a pixel.
template <typename Pixel, int kChannels>
void shrink_row(const typename Pixel::Value* from, typename Pixel::Value* to, std::int64_t width,
                const Weights<typename Pixel::Weight>& weights) {
  for (std::int64_t x = 0; x < width; ++x) {
    const typename Pixel::Weight* weight = weights.values.data() + x * weights.count;
    const typename Pixel::Value* pixel = from + weights.first[static_cast<std::size_t>(x)] * kChannels;
    typename Pixel::Sum sums[kChannels];
    std::fill_n(sums, kChannels, Pixel::kStart);
    for (std::int64_t i = 0; i < weights.used[static_cast<std::size_t>(x)]; ++i, pixel += kChannels)
      for (int c = 0; c < kChannels; ++c) sums[c] += pixel[c] * weight[i];
    for (int c = 0; c < kChannels; ++c) to[x * kChannels + c] = Pixel::rounded(sums[c]);
  }
}

template <typename Pixel>
void shrink_row_of(int channels_count, const typename Pixel::Value* from, typename Pixel::Value* to,
                   std::int64_t width, const Weights<typename Pixel::Weight>& weights) {
  switch (channels_count) {
    case 1: return shrink_row<Pixel, 1>(from, to, width, weights);
    case 2: return shrink_row<Pixel, 2>(from, to, width, weights);
    case 3: return shrink_row<Pixel, 3>(from, to, width, weights);
    default: return shrink_row<Pixel, 4>(from, to, width, weights);
  }
}

template <typename Pixel>
Weights<typename Pixel::Weight> weights_of(std::int64_t from, std::int64_t to) {
  if constexpr (std::is_same_v<typename Pixel::Weight, double>) {
    return triangle_weights(from, to);
  } else {
    return fixed_point(triangle_weights(from, to));
  }
}

template <typename Pixel>
Result<Picture> across(const Picture& picture, std::int64_t width) {
  ASSIGN_OR_RETURN(Picture result, make_picture({width, picture.height, picture.channels_count,
                                                 picture.bits_count, picture.kind}));
  const auto weights = weights_of<Pixel>(picture.width, width);
  for (std::int64_t y = 0; y < picture.height; ++y)
    shrink_row_of<Pixel>(picture.channels_count,
                         reinterpret_cast<const typename Pixel::Value*>(picture.row(y)),
                         reinterpret_cast<typename Pixel::Value*>(result.row(y)), width, weights);
  return result;
}

template <typename Pixel>
Result<Picture> down(const Picture& picture, std::int64_t height) {
  ASSIGN_OR_RETURN(Picture result, make_picture({picture.width, height, picture.channels_count,
                                                 picture.bits_count, picture.kind}));
  const auto weights = weights_of<Pixel>(picture.height, height);
  const auto values_count = static_cast<std::size_t>(picture.width * picture.channels_count);
  std::vector<typename Pixel::Sum> sums(values_count);
  for (std::int64_t y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), Pixel::kStart);
    const typename Pixel::Weight* weight = weights.values.data() + y * weights.count;
    const std::int64_t first = weights.first[static_cast<std::size_t>(y)];
    for (std::int64_t i = 0; i < weights.used[static_cast<std::size_t>(y)]; ++i) {
      const auto* from = reinterpret_cast<const typename Pixel::Value*>(picture.row(first + i));
      for (std::size_t x = 0; x < values_count; ++x) sums[x] += from[x] * weight[i];
    }
    auto* to = reinterpret_cast<typename Pixel::Value*>(result.row(y));
    for (std::size_t x = 0; x < values_count; ++x) to[x] = Pixel::rounded(sums[x]);
  }
  return result;
}

template <typename Pixel>
Result<Picture> resize_plain(const Picture& picture, std::int64_t width, std::int64_t height) {
  if (picture.width == width) return down<Pixel>(picture, height);
  // Pillow takes the vertical pass first where the picture is a very tall strip and gets lower.
  if (picture.height > picture.width * kTallFactor && height < picture.height) {
    ASSIGN_OR_RETURN(const Picture lowered, down<Pixel>(picture, height));
    return across<Pixel>(lowered, width);
  }
  ASSIGN_OR_RETURN(Picture narrowed, across<Pixel>(picture, width));
  if (picture.height == height) return narrowed;
  return down<Pixel>(narrowed, height);
}

/// Colours times alpha over 255, rounded.
void premultiply(Picture& picture) {
  const auto channels = static_cast<std::size_t>(picture.channels_count);
  for (std::size_t i = 0; i < picture.bytes.size(); i += channels) {
    const std::uint32_t alpha = picture.bytes[i + channels - 1];
    for (std::size_t c = 0; c + 1 < channels; ++c) {
      const std::uint32_t product = picture.bytes[i + c] * alpha + 128;
      picture.bytes[i + c] = static_cast<std::uint8_t>((product + (product >> 8)) >> 8);
    }
  }
}

/// The way back, cut to 255; where alpha is 0 the colour stays as it is.
void unpremultiply(Picture& picture) {
  const auto channels = static_cast<std::size_t>(picture.channels_count);
  for (std::size_t i = 0; i < picture.bytes.size(); i += channels) {
    const std::uint32_t alpha = picture.bytes[i + channels - 1];
    if (alpha == 0 || alpha == 255) continue;
    for (std::size_t c = 0; c + 1 < channels; ++c)
      picture.bytes[i + c] = static_cast<std::uint8_t>(std::min(picture.bytes[i + c] * 255u / alpha, 255u));
  }
}

}  // namespace

Result<Picture> resize(const Picture& picture, std::int64_t width, std::int64_t height) {
  if (picture.width == width && picture.height == height) return picture;
  if (picture.bits_count == 16) return resize_plain<Pixel16>(picture, width, height);
  if (!picture.has_alpha()) return resize_plain<Pixel8>(picture, width, height);
  Picture premultiplied = picture;
  premultiply(premultiplied);
  ASSIGN_OR_RETURN(Picture result, resize_plain<Pixel8>(premultiplied, width, height));
  unpremultiply(result);
  return result;
}

}  // namespace noren::worker
