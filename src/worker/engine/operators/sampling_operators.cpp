// Sampling at places that are not pixels: interpolation, warping by a grid or a flow. Source of the rules:
// the reference implementation's documentation of Interpolate, WarpByGrid and WarpByFlow, with its corners
// measured.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "worker/engine/operators/families.h"

namespace noren::worker {
namespace {

/// Resizes the last axes of each map: every output position is a weighted sum of `taps` input positions along
/// each axis. The translation computes the taps: "index_N" and "weight_N" for the N-th of the last axes,
/// output position major. A first index of -1 marks a position outside of the map, which gets
/// "extrapolation_value".
class ResizeTaps final : public Operator {
 public:
  explicit ResizeTaps(const OperatorAttributes& attributes)
      : taps_(static_cast<std::size_t>(attributes.integer("taps", 1))),
        extrapolation_(attributes.real("extrapolation_value", 0)) {
    const std::int64_t spatial = attributes.integer("axes", 1);
    if (taps_ < 1 || taps_ > 4 || spatial < 1 || spatial > 3)
      throw OperatorFailure("ResizeTaps: wrong attributes");
    spatial_ = static_cast<std::size_t>(spatial);
    for (std::size_t i = 0; i < spatial_; ++i) {
      Axis& axis = axes_[3 - spatial_ + i];
      axis.index = attributes.integers(("index_" + std::to_string(i)).c_str());
      axis.weight = attributes.reals(("weight_" + std::to_string(i)).c_str());
      if (axis.index.empty() || axis.index.size() != axis.weight.size() || axis.index.size() % taps_ != 0)
        throw OperatorFailure("ResizeTaps: wrong attributes");
    }
    for (std::size_t i = 0; i < 3 - spatial_; ++i) {  // an axis that is not there has one position
      axes_[i].index.assign(taps_, 0);
      axes_[i].weight.assign(taps_, 0);
      axes_[i].weight[0] = 1;
    }
  }

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    if (x.shape.size() < spatial_) throw OperatorFailure("ResizeTaps: wrong rank");
    const std::size_t lead = x.shape.size() - spatial_;
    Shape shape = x.shape;
    std::int64_t maps = 1;
    for (std::size_t i = 0; i < lead; ++i) maps *= shape[i];
    for (std::size_t i = 0; i < 3; ++i) {
      axes_[i].length = i < 3 - spatial_ ? 1 : x.shape[x.shape.size() - 3 + i];
      if (i >= 3 - spatial_) shape[shape.size() - 3 + i] = positions(axes_[i]);
      for (const std::int64_t index : axes_[i].index)
        if (index >= axes_[i].length) throw OperatorFailure("ResizeTaps: a tap lies outside of the map");
    }
    float* y = context.output(0, shape);
    const std::int64_t in_count = axes_[0].length * axes_[1].length * axes_[2].length;
    for (std::int64_t map = 0; map < maps; ++map) y = resize(x.floats() + map * in_count, y);
  }

 private:
  struct Axis {
    std::vector<std::int64_t> index;
    std::vector<float> weight;
    std::int64_t length = 1;
  };

  std::int64_t positions(const Axis& axis) const {
    return static_cast<std::int64_t>(axis.index.size() / taps_);
  }

  float* resize(const float* x, float* y) const {
    const auto& [depth, height, width] = axes_;
    for (std::size_t z = 0; z < depth.index.size(); z += taps_)
      for (std::size_t row = 0; row < height.index.size(); row += taps_)
        for (std::size_t column = 0; column < width.index.size(); column += taps_) {
          const bool outside = depth.index[z] < 0 || height.index[row] < 0 || width.index[column] < 0;
          *y++ = outside ? extrapolation_ : sum(x, z, row, column);
        }
    return y;
  }

  float sum(const float* x, std::size_t z, std::size_t row, std::size_t column) const {
    const auto& [depth, height, width] = axes_;
    float total = 0;
    for (std::size_t i = z; i < z + taps_; ++i) {
      if (depth.weight[i] == 0) continue;
      float plane = 0;
      for (std::size_t j = row; j < row + taps_; ++j) {
        if (height.weight[j] == 0) continue;
        const float* line = x + (depth.index[i] * height.length + height.index[j]) * width.length;
        float along = 0;
        for (std::size_t k = column; k < column + taps_; ++k) along += width.weight[k] * line[width.index[k]];
        plane += height.weight[j] * along;
      }
      total += depth.weight[i] * plane;
    }
    return total;
  }

  std::size_t taps_, spatial_ = 1;
  float extrapolation_;
  std::array<Axis, 3> axes_;
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

/// x: (B, C, [D,] H, W); grid: (B, [D,] H, W, 2 or 3) with places in [-1, 1], the last axis first (x, y[,
/// z]).
class WarpByGrid final : public Operator {
 public:
  explicit WarpByGrid(const OperatorAttributes& attributes)
      : linear_(attributes.text("mode", "linear") == "linear"),
        align_corners_(attributes.integer("align_corners", 0) != 0),
        padding_(padding_of(attributes.text("padding_mode", "zero"))) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0), grid = context.input(1);
    const std::size_t spatial = x.shape.size() - 2;
    if (x.shape.size() < 4 || spatial > 3 || grid.shape.size() != x.shape.size() ||
        grid.shape[0] != x.shape[0] || grid.shape.back() != static_cast<std::int64_t>(spatial))
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
          y[(b * channels + c) * places + p] =
              linear_ ? sample_linear(map, in, source) : sample_nearest(map, in, source);
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

  static float pixel(const float* map, const std::int64_t (&in)[3], std::int64_t z, std::int64_t y,
                     std::int64_t x) {
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
    const std::int64_t channels = data.shape[1], height = data.shape[2], width = data.shape[3],
                       map = height * width;
    float* out = context.output(0, data.shape);
    const auto clamp = [](float position, std::int64_t last) {
      return static_cast<std::int64_t>(std::max(0.0F, std::min(position, static_cast<float>(last))));
    };
    for (std::int64_t n = 0; n < data.shape[0] * channels; ++n) {
      const float* source = data.floats() + n * map;
      const float* flow_x = flow.floats() + n / channels * 2 * map;
      for (std::int64_t i = 0; i < map; ++i) {
        const float x = static_cast<float>(i % width) + flow_x[i],
                    y = static_cast<float>(i / width) + flow_x[map + i];
        const std::int64_t left = clamp(std::floor(x), width - 1),
                           right = clamp(std::floor(x) + 1, width - 1);
        const std::int64_t top = clamp(std::floor(y), height - 1),
                           bottom = clamp(std::floor(y) + 1, height - 1);
        const float alpha = x - static_cast<float>(left), beta = y - static_cast<float>(top);
        const float upper =
            alpha * (source[top * width + right] - source[top * width + left]) + source[top * width + left];
        const float lower = alpha * (source[bottom * width + right] - source[bottom * width + left]) +
                            source[bottom * width + left];
        *out++ = beta * (lower - upper) + upper;
      }
    }
  }
};

constexpr OperatorDefinition kOperators[] = {
    {"ResizeTaps", make_operator<ResizeTaps>},
    {"WarpByGrid", make_operator<WarpByGrid>},
    {"WarpByFlow", make_operator<WarpByFlow>},
};

}  // namespace

OperatorFamily sampling_operators() { return kOperators; }

}  // namespace noren::worker
