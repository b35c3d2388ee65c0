// Sampling at places that are not pixels: interpolation, warping by a grid or a flow. Source of the rules: the
// reference implementation's documentation of Interpolate, WarpByGrid and WarpByFlow, with its corners measured.
#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/engine/operators/families.h"

namespace noren::worker {
namespace {

/// For one output position along an axis: the two source positions and the weight of the second.
struct Tap {
  std::int64_t low = 0, high = 0;
  float weight = 0;
};

/// Leading axes are maps; the last `spatial` ones are resized.
class Interpolate final : public Operator {
 public:
  explicit Interpolate(const OperatorAttributes& attributes)
      : size_(attributes.integers("output_size")),
        linear_(attributes.text("mode", "linear") == "linear"),
        align_corners_(attributes.integer("align_corners", 1) != 0),
        half_pixel_(attributes.integer("half_pixel", 0) != 0),
        half_pixel_for_nearest_(attributes.integer("half_pixel_for_nn", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    const std::size_t spatial = size_.size();
    if (spatial == 0 || spatial > 3 || x.shape.size() < spatial) throw OperatorFailure("Interpolate: wrong rank");
    const std::size_t lead = x.shape.size() - spatial;
    Shape shape(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(lead));
    std::int64_t maps = 1;
    for (const std::int64_t dimension : shape) maps *= dimension;
    // Always three axes: missing ones have one position.
    std::int64_t in[3] = {1, 1, 1};
    std::vector<Tap> taps[3] = {{Tap{}}, {Tap{}}, {Tap{}}};
    for (std::size_t i = 0; i < spatial; ++i) {
      in[3 - spatial + i] = x.shape[lead + i];
      taps[3 - spatial + i] = taps_of(x.shape[lead + i], size_[i]);
      shape.push_back(size_[i]);
    }
    float* y = context.output(0, shape);
    const std::int64_t in_count = in[0] * in[1] * in[2];
    for (std::int64_t map = 0; map < maps; ++map) y = resize(x.floats() + map * in_count, in, taps, y);
  }

 private:
  std::vector<Tap> taps_of(std::int64_t in, std::int64_t out) const {
    float scale = 0;
    if (!linear_ && half_pixel_for_nearest_)
      scale = static_cast<float>(in) / static_cast<float>(out);
    else if (out > 1)
      scale = align_corners_ ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                             : static_cast<float>(in) / static_cast<float>(out);
    std::vector<Tap> taps(static_cast<std::size_t>(out));
    for (std::int64_t i = 0; i < out; ++i) {
      const auto position = static_cast<float>(i);
      float source = scale * position;
      if (!linear_ && half_pixel_for_nearest_)
        source = scale * (position + 0.5F);
      else if (half_pixel_)
        source = std::max(0.0F, scale * (position + 0.5F) - 0.5F);
      Tap& tap = taps[static_cast<std::size_t>(i)];
      tap.low = std::min(static_cast<std::int64_t>(source), in - 1);
      tap.high = std::min(tap.low + 1, in - 1);
      tap.weight = linear_ ? source - static_cast<float>(tap.low) : 0.0F;
    }
    return taps;
  }

  static float* resize(const float* x, const std::int64_t (&in)[3], const std::vector<Tap> (&taps)[3], float* y) {
    for (const Tap& z : taps[0])
      for (const Tap& row : taps[1]) {
        const float* near_low = x + (z.low * in[1] + row.low) * in[2];
        const float* near_high = x + (z.low * in[1] + row.high) * in[2];
        const float* far_low = x + (z.high * in[1] + row.low) * in[2];
        const float* far_high = x + (z.high * in[1] + row.high) * in[2];
        for (const Tap& t : taps[2]) {
          const auto along = [&](const float* line) { return (1 - t.weight) * line[t.low] + t.weight * line[t.high]; };
          const auto plane = [&](const float* low, const float* high) {
            return row.weight == 0 ? along(low) : (1 - row.weight) * along(low) + row.weight * along(high);
          };
          const float near = plane(near_low, near_high);
          *y++ = z.weight == 0 ? near : (1 - z.weight) * near + z.weight * plane(far_low, far_high);
        }
      }
    return y;
  }

  std::vector<std::int64_t> size_;
  bool linear_, align_corners_, half_pixel_, half_pixel_for_nearest_;
};

/// Where outside of the map a sample comes from.
enum class Padding { kZero, kRepeat, kReflect };

float reflect(float position, float low, float high) {
  const float length = high - low;
  if (length <= 0) return low;
  const float distance = position < low ? low - position : position - high;
  if (position >= low && position <= high) return position;
  const auto turns = static_cast<std::int64_t>(distance / length);
  const float rest = distance - static_cast<float>(turns) * length;
  const bool from_low = (position < low) == (turns % 2 == 0);
  return from_low ? low + rest : high - rest;
}

/// x: (B, C, [D,] H, W); grid: (B, [D,] H, W, 2 or 3) with places in [-1, 1], the last axis first (x, y[, z]).
class WarpByGrid final : public Operator {
 public:
  explicit WarpByGrid(const OperatorAttributes& attributes)
      : linear_(attributes.text("mode", "linear") == "linear"),
        align_corners_(attributes.integer("align_corners", 0) != 0),
        padding_(padding_of(attributes.text("padding_mode", "zero"))) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0), grid = context.input(1);
    const std::size_t spatial = x.shape.size() - 2;
    if (x.shape.size() < 4 || spatial > 3 || grid.shape.size() != x.shape.size() || grid.shape[0] != x.shape[0] ||
        grid.shape.back() != static_cast<std::int64_t>(spatial))
      throw OperatorFailure("WarpByGrid: the grid does not fit the map");
    Shape shape = {x.shape[0], x.shape[1]};
    std::int64_t in[3] = {1, 1, 1}, places = 1;
    for (std::size_t i = 0; i < spatial; ++i) {
      in[3 - spatial + i] = x.shape[2 + i];
      shape.push_back(grid.shape[1 + i]);
      places *= grid.shape[1 + i];
    }
    float* y = context.output(0, shape);
    const std::int64_t channels = x.shape[1], in_count = in[0] * in[1] * in[2];
    for (std::int64_t b = 0; b < x.shape[0]; ++b)
      for (std::int64_t p = 0; p < places; ++p) {
        const float* place = grid.floats() + (b * places + p) * static_cast<std::int64_t>(spatial);
        float source[3] = {0, 0, 0};  // z, y, x
        for (std::size_t i = 0; i < spatial; ++i) source[2 - i] = source_of(place[i], in[2 - i]);
        for (std::int64_t c = 0; c < channels; ++c) {
          const float* map = x.floats() + (b * channels + c) * in_count;
          y[(b * channels + c) * places + p] = linear_ ? sample_linear(map, in, source) : sample_nearest(map, in, source);
        }
      }
  }

 private:
  static Padding padding_of(const std::string& mode) {
    if (mode == "zero") return Padding::kZero;
    if (mode == "repeat") return Padding::kRepeat;
    if (mode == "reflect") return Padding::kReflect;
    throw OperatorFailure("WarpByGrid: unknown padding mode");
  }

  float source_of(float place, std::int64_t length) const {
    const auto size = static_cast<float>(length);
    const float source = align_corners_ ? (place + 1) * (size - 1) / 2 : ((place + 1) * size - 1) / 2;
    if (padding_ == Padding::kZero) return source;
    float kept = source;
    if (padding_ == Padding::kReflect)
      kept = align_corners_ ? reflect(source, 0, size - 1) : reflect(2 * source, -1, 2 * size - 1) * 0.5F;
    if (padding_ == Padding::kReflect && align_corners_) return kept;
    return kept < 0 ? 0 : kept > size - 1 ? size - 1 : kept;
  }

  static float pixel(const float* map, const std::int64_t (&in)[3], std::int64_t z, std::int64_t y, std::int64_t x) {
    const bool inside = z >= 0 && z < in[0] && y >= 0 && y < in[1] && x >= 0 && x < in[2];
    return inside ? map[(z * in[1] + y) * in[2] + x] : 0.0F;
  }

  /// A place that no map reaches (nan, or far outside) must not overflow an integer.
  static std::int64_t whole(float position) {
    constexpr float kFar = 1.0e9F;
    return std::isnan(position) ? -2 : static_cast<std::int64_t>(std::clamp(position, -kFar, kFar));
  }

  static float sample_nearest(const float* map, const std::int64_t (&in)[3], const float (&source)[3]) {
    return pixel(map, in, whole(std::round(source[0])), whole(std::round(source[1])),
                 whole(std::round(source[2])));
  }

  static float sample_linear(const float* map, const std::int64_t (&in)[3], const float (&source)[3]) {
    std::int64_t low[3];
    float weight[3];
    for (int i = 0; i < 3; ++i) {
      low[i] = whole(std::floor(source[i]));
      weight[i] = source[i] - std::floor(source[i]);
    }
    float sum = 0;
    for (int corner = 0; corner < 8; ++corner) {
      const int dz = corner >> 2, dy = corner >> 1 & 1, dx = corner & 1;
      const float gain = (dz ? weight[0] : 1 - weight[0]) * (dy ? weight[1] : 1 - weight[1]) *
                         (dx ? weight[2] : 1 - weight[2]);
      if (dz == 1 && in[0] == 1 && weight[0] == 0) continue;
      sum += gain * pixel(map, in, low[0] + dz, low[1] + dy, low[2] + dx);
    }
    return sum;
  }

  bool linear_, align_corners_;
  Padding padding_;
};

/// Each pixel is taken from where it stands plus the flow (channel 0: x, channel 1: y), in pixels.
class WarpByFlow final : public Operator {
 public:
  explicit WarpByFlow(const OperatorAttributes&) {}
  void compute(OperatorContext& context) override {
    const OperatorInput data = context.input(0), flow = context.input(1);
    if (data.shape.size() != 4 || flow.shape != Shape{data.shape[0], 2, data.shape[2], data.shape[3]})
      throw OperatorFailure("WarpByFlow: the flow does not fit the map");
    const std::int64_t channels = data.shape[1], height = data.shape[2], width = data.shape[3], map = height * width;
    float* out = context.output(0, data.shape);
    const auto clamp = [](float position, std::int64_t last) {
      return static_cast<std::int64_t>(std::max(0.0F, std::min(position, static_cast<float>(last))));
    };
    for (std::int64_t n = 0; n < data.shape[0] * channels; ++n) {
      const float* source = data.floats() + n * map;
      const float* flow_x = flow.floats() + n / channels * 2 * map;
      for (std::int64_t i = 0; i < map; ++i) {
        const float x = static_cast<float>(i % width) + flow_x[i], y = static_cast<float>(i / width) + flow_x[map + i];
        const std::int64_t left = clamp(std::floor(x), width - 1), right = clamp(std::floor(x) + 1, width - 1);
        const std::int64_t top = clamp(std::floor(y), height - 1), bottom = clamp(std::floor(y) + 1, height - 1);
        const float alpha = x - static_cast<float>(left), beta = y - static_cast<float>(top);
        const float upper = alpha * (source[top * width + right] - source[top * width + left]) + source[top * width + left];
        const float lower =
            alpha * (source[bottom * width + right] - source[bottom * width + left]) + source[bottom * width + left];
        *out++ = beta * (lower - upper) + upper;
      }
    }
  }
};

constexpr OperatorDefinition kOperators[] = {
    {"Interpolate", make_operator<Interpolate>},
    {"WarpByGrid", make_operator<WarpByGrid>},
    {"WarpByFlow", make_operator<WarpByFlow>},
};

}  // namespace

OperatorFamily sampling_operators() { return kOperators; }

}  // namespace noren::worker
