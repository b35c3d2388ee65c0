// Windows over maps that ONNX's operators can't place: at offsets that another input tells, with kernels of
// their own for each pixel, in boxes, or in the padding alone. Source of the rules: the reference
// implementation.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/limits.h"
#include "worker/engine/operators/families.h"

namespace noren::worker {
namespace {

void check(bool condition, const char* what) {
  if (!condition) throw OperatorFailure(what);
}

/// A list of numbers, each within [minimum, the largest count of elements].
std::vector<std::int64_t> window_attribute(const OperatorAttributes& attributes, const char* name,
                                           std::int64_t minimum) {
  std::vector<std::int64_t> values = attributes.integers(name);
  for (const std::int64_t value : values)
    check(value >= minimum && value <= limits::kTensorElementsCount, name);
  return values;
}

/// The largest element of each window; one that lies in the padding alone takes the first element at that
/// edge.
class MaxPooling final : public Operator {
 public:
  explicit MaxPooling(const OperatorAttributes& attributes)
      : kernel_(window_attribute(attributes, "kernel_shape", 1)),
        stride_(window_attribute(attributes, "strides", 1)),
        pads_(window_attribute(attributes, "pads", 0)) {
    const std::size_t axes = kernel_.size();
    check((axes == 2 || axes == 3) && stride_.size() == axes && pads_.size() == 2 * axes,
          "MaxPooling: wrong attributes");
    if (axes == 2) {  // a third axis in front, of length 1
      kernel_.insert(kernel_.begin(), 1);
      stride_.insert(stride_.begin(), 1);
      pads_ = {0, pads_[0], pads_[1], 0, pads_[2], pads_[3]};
      is_flat_ = true;
    }
  }

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    const std::size_t spatial = is_flat_ ? 2 : 3;
    check(x.shape.size() == spatial + 2, "MaxPooling: wrong rank");
    Shape shape = x.shape;
    for (std::size_t i = 0; i < spatial; ++i) {
      const std::size_t axis = 3 - spatial + i;
      const std::int64_t room = shape[i + 2] + pads_[axis] + pads_[axis + 3] - kernel_[axis];
      check(room >= 0 && shape[i + 2] > 0, "MaxPooling: the kernel is larger than the padded input");
      shape[i + 2] = room / stride_[axis] + 1;
    }
    Places input{1, 1, 1}, output{1, 1, 1};
    std::copy(x.shape.begin() + 2, x.shape.end(), input.begin() + (is_flat_ ? 1 : 0));
    std::copy(shape.begin() + 2, shape.end(), output.begin() + (is_flat_ ? 1 : 0));
    float* y = context.output(0, shape);
    const float* map = x.floats();
    for (std::int64_t m = 0; m < x.shape[0] * x.shape[1]; ++m, map += input[0] * input[1] * input[2])
      y = pool(map, input, output, y);
  }

 private:
  using Places = std::array<std::int64_t, 3>;
  struct Range {
    std::int64_t begin, end;
  };

  Range range(std::size_t axis, std::int64_t place, std::int64_t length) const {
    const std::int64_t start = place * stride_[axis] - pads_[axis];
    return {std::clamp<std::int64_t>(start, 0, length - 1), std::min(start + kernel_[axis], length)};
  }

  float* pool(const float* x, const Places& input, const Places& output, float* y) const {
    for (std::int64_t i = 0; i < output[0]; ++i)
      for (std::int64_t j = 0; j < output[1]; ++j)
        for (std::int64_t k = 0; k < output[2]; ++k)
          *y++ = largest(x, input, range(0, i, input[0]), range(1, j, input[1]), range(2, k, input[2]));
    return y;
  }

  static float largest(const float* x, const Places& input, Range a, Range b, Range c) {
    float value = x[(a.begin * input[1] + b.begin) * input[2] + c.begin];
    for (std::int64_t i = a.begin; i < a.end; ++i)
      for (std::int64_t j = b.begin; j < b.end; ++j)
        for (std::int64_t k = c.begin; k < c.end; ++k) {
          const float other = x[(i * input[1] + j) * input[2] + k];
          value = value < other ? other : value;
        }
    return value;
  }

  std::vector<std::int64_t> kernel_, stride_, pads_;
  bool is_flat_ = false;
};

/// Between four neighbours; those outside of the map count as zero.
float sample_with_zeros(const float* map, std::int64_t height, std::int64_t width, float y, float x) {
  const auto top = static_cast<std::int64_t>(std::floor(y)), left = static_cast<std::int64_t>(std::floor(x));
  const float down = y - static_cast<float>(top), right = x - static_cast<float>(left);
  const auto at = [&](std::int64_t i, std::int64_t j) {
    return i >= 0 && j >= 0 && i < height && j < width ? map[i * width + j] : 0.0F;
  };
  return (1 - down) * (1 - right) * at(top, left) + (1 - down) * right * at(top, left + 1) +
         down * (1 - right) * at(top + 1, left) + down * right * at(top + 1, left + 1);
}

/// The columns of a convolution whose every sample is moved by an offset (and weighed by a mask):
/// x, offset[, mask] -> (rows, groups, channels / groups * kernel, places).
class DeformableColumns final : public Operator {
 public:
  explicit DeformableColumns(const OperatorAttributes& attributes)
      : kernel_(window_attribute(attributes, "kernel_shape", 1)),
        stride_(window_attribute(attributes, "strides", 1)),
        dilation_(window_attribute(attributes, "dilations", 1)),
        pad_(window_attribute(attributes, "pads", 0)),
        output_(window_attribute(attributes, "output_shape", 1)),
        group_(attributes.integer("group", 1)),
        deformable_group_(attributes.integer("deformable_group", 1)) {
    for (const auto* list : {&kernel_, &stride_, &dilation_, &pad_, &output_})
      check(list->size() == 2, "DeformableColumns: wrong attributes");
    check(group_ > 0 && deformable_group_ > 0, "DeformableColumns: wrong attributes");
  }

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0), offset = context.input(1);
    const std::int64_t size = kernel_[0] * kernel_[1];
    check(x.shape.size() == 4 && x.shape[1] % group_ == 0 && x.shape[1] % deformable_group_ == 0,
          "DeformableColumns: wrong input");
    check_maps(offset, x, 2 * size * deformable_group_);
    OperatorInput mask;
    if (context.input_count() > 2) {
      mask = context.input(2);
      check_maps(mask, x, size * deformable_group_);
    }
    check((output_[0] - 1) * stride_[0] < x.shape[2] && (output_[1] - 1) * stride_[1] < x.shape[3],
          "DeformableColumns: the output is larger than the offsets");
    const std::int64_t channels = x.shape[1], map = x.shape[2] * x.shape[3];
    const std::int64_t shared = channels / deformable_group_;
    float* y = context.output(0, {x.shape[0], group_, channels / group_ * size, output_[0] * output_[1]});
    const auto maps_of = [&](const OperatorInput& maps, std::int64_t row, std::int64_t index) {
      return maps.floats() + ((maps.shape[0] == 1 ? 0 : row) * maps.shape[1] + index) * map;
    };
    for (std::int64_t row = 0; row < x.shape[0]; ++row)
      for (std::int64_t channel = 0; channel < channels; ++channel)
        for (std::int64_t tap = 0; tap < size; ++tap) {
          const std::int64_t place = channel / shared * size + tap;
          y = column(x.floats() + (row * channels + channel) * map, x.shape, tap,
                     maps_of(offset, row, 2 * place),
                     mask.data == nullptr ? nullptr : maps_of(mask, row, place), y);
        }
  }

 private:
  static void check_maps(const OperatorInput& maps, const OperatorInput& x, std::int64_t channels) {
    check(maps.shape.size() == 4 && (maps.shape[0] == x.shape[0] || maps.shape[0] == 1) &&
              maps.shape[1] == channels && maps.shape[2] == x.shape[2] && maps.shape[3] == x.shape[3],
          "DeformableColumns: offsets or mask have a wrong shape");
  }

  /// One row of the matrix: one place in the kernel at all output positions.
  float* column(const float* map, const Shape& shape, std::int64_t tap, const float* shift, const float* mask,
                float* y) const {
    const std::int64_t height = shape[2], width = shape[3];
    const std::int64_t down = tap / kernel_[1] * dilation_[0], right = tap % kernel_[1] * dilation_[1];
    for (std::int64_t i = 0; i < output_[0]; ++i)
      for (std::int64_t j = 0; j < output_[1]; ++j) {
        const std::int64_t top = i * stride_[0], left = j * stride_[1], at = top * width + left;
        const float v = static_cast<float>(top + down) + shift[at] - static_cast<float>(pad_[0]);
        const float u =
            static_cast<float>(left + right) + shift[height * width + at] - static_cast<float>(pad_[1]);
        const bool is_near =
            v > -1 && u > -1 && v < static_cast<float>(height) && u < static_cast<float>(width);
        const float value = is_near ? sample_with_zeros(map, height, width, v, u) : 0.0F;
        *y++ = mask != nullptr ? value * mask[at] : value;
      }
    return y;
  }

  std::vector<std::int64_t> kernel_, stride_, dilation_, pad_, output_;
  std::int64_t group_, deformable_group_;
};

/// y(c, h, w) = sum over j, i of vertical(j, h, w) * horizontal(i, h, w) * x(c, h + j, w + i).
class AdaptiveSeparableConvolution final : public Operator {
 public:
  explicit AdaptiveSeparableConvolution(const OperatorAttributes&) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0), vertical = context.input(1), horizontal = context.input(2);
    check(x.shape.size() == 4 && vertical.shape.size() == 4 && horizontal.shape.size() == 4,
          "AdaptiveSeparableConvolution: wrong rank");
    const std::int64_t height = x.shape[2] - vertical.shape[1] + 1,
                       width = x.shape[3] - horizontal.shape[1] + 1;
    for (const OperatorInput* kernel : {&vertical, &horizontal})
      check(height > 0 && width > 0 && kernel->shape[2] >= height && kernel->shape[3] >= width &&
                (kernel->shape[0] == x.shape[0] || kernel->shape[0] == 1),
            "AdaptiveSeparableConvolution: the kernels don't fit the input");
    float* y = context.output(0, {x.shape[0], x.shape[1], height, width});
    std::fill(y, y + x.shape[0] * x.shape[1] * height * width, 0.0F);
    for (std::int64_t map = 0; map < x.shape[0] * x.shape[1]; ++map) {
      const std::int64_t row = map / x.shape[1];
      for (std::int64_t j = 0; j < vertical.shape[1]; ++j)
        for (std::int64_t i = 0; i < horizontal.shape[1]; ++i)
          for (std::int64_t h = 0; h < height; ++h)
            add_products(line(vertical, row, j, h), line(horizontal, row, i, h),
                         x.floats() + (map * x.shape[2] + h + j) * x.shape[3] + i,
                         y + (map * height + h) * width, width);
    }
  }

 private:
  static const float* line(const OperatorInput& kernel, std::int64_t row, std::int64_t tap, std::int64_t h) {
    const std::int64_t first = (kernel.shape[0] == 1 ? 0 : row) * kernel.shape[1];
    return kernel.floats() + ((first + tap) * kernel.shape[2] + h) * kernel.shape[3];
  }
  static void add_products(const float* a, const float* b, const float* x, float* y, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) y[i] += a[i] * b[i] * x[i];
  }
};

/// Boxes cut out of the maps: each cell is the mean of a grid of samples.
class RoiAlign final : public Operator {
 public:
  explicit RoiAlign(const OperatorAttributes& attributes)
      : size_(window_attribute(attributes, "output_size", 1)),
        scale_y_(attributes.real("scale_y", 1)),
        scale_x_(attributes.real("scale_x", 1)),
        sampling_ratio_(attributes.integer("sampling_ratio", -1)) {
    check(size_.size() == 2, "RoiAlign: wrong attributes");
  }

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0), boxes = context.input(1);
    check(x.shape.size() == 4 && boxes.shape.size() == 2 && boxes.shape[1] == 5, "RoiAlign: wrong inputs");
    float* y = context.output(0, {boxes.shape[0], x.shape[1], size_[0], size_[1]});
    const std::int64_t map = x.shape[2] * x.shape[3];
    for (std::int64_t n = 0; n < boxes.shape[0]; ++n) {
      const float* box = boxes.floats() + n * 5;
      check(box[0] > -1 && box[0] < static_cast<float>(x.shape[0]),
            "RoiAlign: a box's row is not in the batch");
      const Axis vertical = axis_of(box[2], box[4], scale_y_, size_[0], x.shape[2]);
      const Axis horizontal = axis_of(box[1], box[3], scale_x_, size_[1], x.shape[3]);
      const float* maps = x.floats() + static_cast<std::int64_t>(box[0]) * x.shape[1] * map;
      for (std::int64_t channel = 0; channel < x.shape[1]; ++channel)
        y = align(maps + channel * map, x.shape[3], vertical, horizontal, y);
    }
  }

 private:
  /// Two neighbours and their weights; none where the sample lies too far outside.
  struct Sample {
    std::int64_t low = 0, high = 0;
    float low_weight = 0, high_weight = 0;
    bool is_inside = false;
  };
  /// Samples along one axis, `grid` for each cell. `grid` may be 0 or less for a box without extent.
  struct Axis {
    std::int64_t cells = 0, grid = 0;
    std::vector<Sample> samples;
  };

  Axis axis_of(float begin, float end, float scale, std::int64_t cells, std::int64_t length) const {
    begin = begin * scale - 0.5F;
    end = end * scale - 0.5F;
    const float step = (end - begin) / static_cast<float>(cells);
    const float wanted = sampling_ratio_ > 0 ? static_cast<float>(sampling_ratio_) : std::ceil(step);
    check(std::abs(wanted) * static_cast<float>(cells) <= static_cast<float>(limits::kImageSideCount),
          "RoiAlign: a box is too large");
    Axis axis{.cells = cells, .grid = static_cast<std::int64_t>(wanted), .samples = {}};
    const float fine = step / static_cast<float>(axis.grid), half = 0.5F * fine;
    for (std::int64_t cell = 0; cell < cells; ++cell)
      for (std::int64_t i = 0; i < axis.grid; ++i)
        axis.samples.push_back(
            sample_at(begin + static_cast<float>(cell) * step + static_cast<float>(i) * fine + half, length));
    return axis;
  }

  static Sample sample_at(float place, std::int64_t length) {
    if (!(place >= -1 && place <= static_cast<float>(length))) return {};
    place = std::clamp(place, 0.0F, static_cast<float>(length - 1));
    const auto low = static_cast<std::int64_t>(place);
    const float rest = place - std::floor(place);
    return {low, std::min(low + 1, length - 1), 1 - rest, rest, true};
  }

  static float* align(const float* map, std::int64_t width, const Axis& vertical, const Axis& horizontal,
                      float* y) {
    const float share = 1.0F / static_cast<float>(vertical.grid * horizontal.grid);
    for (std::int64_t i = 0; i < vertical.cells; ++i)
      for (std::int64_t j = 0; j < horizontal.cells; ++j) {
        float sum = 0;
        for (std::int64_t v = 0; v < vertical.grid; ++v) {
          const Sample& row = vertical.samples[static_cast<std::size_t>(i * vertical.grid + v)];
          if (!row.is_inside) continue;
          sum = add_line(map, width, row, horizontal, j * horizontal.grid, sum);
        }
        *y++ = sum * share;
      }
    return y;
  }

  static float add_line(const float* map, std::int64_t width, const Sample& row, const Axis& horizontal,
                        std::int64_t first, float sum) {
    const float* top = map + row.low * width;
    const float* bottom = map + row.high * width;
    for (std::int64_t u = 0; u < horizontal.grid; ++u) {
      const Sample& column = horizontal.samples[static_cast<std::size_t>(first + u)];
      if (!column.is_inside) continue;
      sum += row.low_weight * column.low_weight * top[column.low];
      sum += row.low_weight * column.high_weight * top[column.high];
      sum += row.high_weight * column.low_weight * bottom[column.low];
      sum += row.high_weight * column.high_weight * bottom[column.high];
    }
    return sum;
  }

  std::vector<std::int64_t> size_;
  float scale_y_, scale_x_;
  std::int64_t sampling_ratio_;
};

constexpr OperatorDefinition kOperators[] = {
    {"MaxPooling", make_operator<MaxPooling>},
    {"DeformableColumns", make_operator<DeformableColumns>},
    {"AdaptiveSeparableConvolution", make_operator<AdaptiveSeparableConvolution>},
    {"RoiAlign", make_operator<RoiAlign>},
};

}  // namespace

OperatorFamily window_operators() { return kOperators; }

}  // namespace noren::worker
