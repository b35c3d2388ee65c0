// Layers that change pictures at random: crop, flip, shift, erase, augment. Each sample (the axes before
// base_axis) is drawn by itself, as in the reference; the order of the draws is the reference's.
#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/engine/operators/families.h"
#include "worker/engine/operators/random_generator.h"

namespace noren::worker {
namespace {

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t count = 1;
  for (std::size_t i = begin; i < end; ++i) count *= shape[i];
  return count;
}

/// A whole number in [0, count), drawn as the reference draws it.
std::int64_t draw_below(std::mt19937& generator, std::int64_t count) {
  return static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(count));
}

constexpr std::int64_t kNowhere = -1;

/// y[position] = x[table of each axis], kNowhere giving a constant. Tables hold positions along their axis.
void copy_by_tables(const float* x, const Shape& in, const std::vector<std::vector<std::int64_t>>& tables,
                    float constant, float* y) {
  std::vector<std::size_t> position(tables.size(), 0);
  std::int64_t count = 1;
  for (const auto& table : tables) count *= static_cast<std::int64_t>(table.size());
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < tables.size() && offset != kNowhere; ++axis) {
      const std::int64_t source = tables[axis][position[axis]];
      offset = source == kNowhere ? kNowhere : offset * in[axis] + source;
    }
    y[i] = offset == kNowhere ? constant : x[offset];
    for (std::size_t axis = tables.size(); axis-- > 0;) {
      if (++position[axis] < tables[axis].size()) break;
      position[axis] = 0;
    }
  }
}

/// Base of crop, flip and shift: for each sample, a table of source positions for each axis behind base_axis.
class RandomMove : public Operator {
 public:
  explicit RandomMove(const OperatorAttributes& attributes)
      : base_axis_(static_cast<std::size_t>(attributes.integer("base_axis", 1))),
        generator_(make_generator(attributes)) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    if (x.shape.size() < base_axis_) throw OperatorFailure("base_axis is behind the last axis");
    const Shape sample(x.shape.begin() + static_cast<std::ptrdiff_t>(base_axis_), x.shape.end());
    Shape out_shape(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(base_axis_));
    const Shape moved = moved_shape(sample);
    out_shape.insert(out_shape.end(), moved.begin(), moved.end());
    float* y = context.output(0, out_shape);
    const std::int64_t samples = product(x.shape, 0, base_axis_);
    const std::int64_t in_count = element_count(sample), out_count = element_count(moved);
    for (std::int64_t i = 0; i < samples; ++i)
      copy_by_tables(x.floats() + i * in_count, sample, tables(sample), constant_, y + i * out_count);
  }

 protected:
  virtual Shape moved_shape(const Shape& sample) const { return sample; }
  virtual std::vector<std::vector<std::int64_t>> tables(const Shape& sample) = 0;

  std::size_t base_axis_;
  std::mt19937 generator_;
  float constant_ = 0;
};

class RandomCrop final : public RandomMove {
 public:
  explicit RandomCrop(const OperatorAttributes& attributes)
      : RandomMove(attributes), crop_(attributes.integers("shape")) {}

 protected:
  Shape moved_shape(const Shape& sample) const override {
    if (crop_.size() > sample.size()) throw OperatorFailure("RandomCrop: the shape has too many axes");
    Shape moved = sample;
    std::copy(crop_.begin(), crop_.end(), moved.end() - static_cast<std::ptrdiff_t>(crop_.size()));
    return moved;
  }
  std::vector<std::vector<std::int64_t>> tables(const Shape& sample) override {
    const Shape moved = moved_shape(sample);
    std::vector<std::vector<std::int64_t>> all(sample.size());
    for (std::size_t axis = 0; axis < sample.size(); ++axis) {
      if (moved[axis] > sample[axis]) throw OperatorFailure("RandomCrop: the shape is larger than the input");
      const std::int64_t first =
          axis + crop_.size() >= sample.size() ? draw_below(generator_, sample[axis] - moved[axis] + 1) : 0;
      for (std::int64_t i = 0; i < moved[axis]; ++i) all[axis].push_back(first + i);
    }
    return all;
  }

 private:
  Shape crop_;
};

class RandomFlip final : public RandomMove {
 public:
  explicit RandomFlip(const OperatorAttributes& attributes)
      : RandomMove(attributes), axes_(attributes.integers("axes")) {}

 protected:
  std::vector<std::vector<std::int64_t>> tables(const Shape& sample) override {
    std::vector<std::vector<std::int64_t>> all(sample.size());
    for (std::size_t axis = 0; axis < sample.size(); ++axis) {
      const auto whole_axis = static_cast<std::int64_t>(axis + base_axis_);
      const bool flips =
          draw_below(generator_, 2) != 0 && std::find(axes_.begin(), axes_.end(), whole_axis) != axes_.end();
      for (std::int64_t i = 0; i < sample[axis]; ++i) all[axis].push_back(flips ? sample[axis] - 1 - i : i);
    }
    return all;
  }

 private:
  std::vector<std::int64_t> axes_;
};

class RandomShift final : public RandomMove {
 public:
  explicit RandomShift(const OperatorAttributes& attributes)
      : RandomMove(attributes),
        shifts_(attributes.integers("shifts")),
        mode_(attributes.text("border_mode", "nearest")) {
    constant_ = attributes.real("constant_value", 0);
  }

 protected:
  std::vector<std::vector<std::int64_t>> tables(const Shape& sample) override {
    std::vector<std::vector<std::int64_t>> all(sample.size());
    for (std::size_t axis = 0; axis < sample.size(); ++axis) {
      // The list of shifts is for the last axes.
      const std::size_t missing = sample.size() - std::min(shifts_.size(), sample.size());
      const std::int64_t most = axis >= missing ? shifts_[axis - missing] : 0;
      const std::int64_t shift = most > 0 ? draw_below(generator_, 2 * most + 1) - most : 0;
      for (std::int64_t i = 0; i < sample[axis]; ++i) all[axis].push_back(source(i - shift, sample[axis]));
    }
    return all;
  }

 private:
  std::int64_t source(std::int64_t position, std::int64_t length) const {
    if (mode_ == "nearest") return std::clamp<std::int64_t>(position, 0, length - 1);
    if (mode_ == "reflect") {  // 2 1 0 0 1 2 … length-1 length-1 …
      const std::int64_t period = 2 * length;
      const std::int64_t folded = ((position % period) + period) % period;
      return folded < length ? folded : period - 1 - folded;
    }
    return position >= 0 && position < length ? position : kNowhere;
  }
  std::vector<std::int64_t> shifts_;
  std::string mode_;
};

/// Rectangles of random place and size get random values.
class RandomErase final : public Operator {
 public:
  explicit RandomErase(const OperatorAttributes& attributes)
      : probability_(attributes.real("prob", 0.5F)),
        area_(pair(attributes, "area_ratios")),
        aspect_(pair(attributes, "aspect_ratios")),
        replacement_(pair(attributes, "replacements")),
        times_(attributes.integer("n", 1)),
        shared_(attributes.integer("share", 1) != 0),
        base_axis_(static_cast<std::size_t>(attributes.integer("base_axis", 1))),
        generator_(make_generator(attributes)) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    if (x.shape.size() != base_axis_ + 3) throw OperatorFailure("RandomErase: a sample must be a picture");
    const std::int64_t samples = product(x.shape, 0, base_axis_), channels = x.shape[base_axis_];
    height_ = x.shape[base_axis_ + 1], width_ = x.shape[base_axis_ + 2];
    float* y = context.output(0, x.shape);
    std::copy(x.floats(), x.floats() + x.count, y);
    // All rectangles are drawn before the first value is.
    const std::int64_t rectangles = times_ * samples * (shared_ ? 1 : channels);
    std::vector<Rectangle> drawn;
    for (std::int64_t i = 0; i < rectangles; ++i) drawn.push_back(draw_rectangle());
    std::size_t next = 0;
    for (std::int64_t turn = 0; turn < times_; ++turn)
      for (std::int64_t map = 0; map < samples * channels; ++map) {
        erase(y + map * height_ * width_, drawn[next]);
        if (!shared_ || (map + 1) % channels == 0) ++next;
      }
  }

 private:
  struct Range {
    float low = 0, high = 0;
  };
  struct Rectangle {
    bool used = false;
    std::int64_t top = 0, left = 0, bottom = 0, right = 0;  ///< inclusive
  };
  static Range pair(const OperatorAttributes& attributes, const char* name) {
    const auto values = attributes.reals(name);
    if (values.size() != 2) throw OperatorFailure("RandomErase: a pair of numbers is missing");
    return {values[0], values[1]};
  }
  float draw(const Range& range) {
    return std::uniform_real_distribution<float>(range.low, range.high)(generator_);
  }

  Rectangle draw_rectangle() {
    const float area = draw(area_) * static_cast<float>(height_ * width_);
    const float aspect = draw(aspect_);
    const std::int64_t height = std::min(static_cast<std::int64_t>(std::sqrt(area * aspect)), height_);
    const std::int64_t width = std::min(static_cast<std::int64_t>(std::sqrt(area / aspect)), width_);
    Rectangle rectangle;
    rectangle.used = draw({0, 1}) <= probability_;
    rectangle.top = std::uniform_int_distribution<int>(0, static_cast<int>(height_ - height))(generator_);
    rectangle.left = std::uniform_int_distribution<int>(0, static_cast<int>(width_ - width))(generator_);
    rectangle.bottom = std::min(rectangle.top + height, height_ - 1);
    rectangle.right = std::min(rectangle.left + width, width_ - 1);
    return rectangle;
  }

  void erase(float* map, const Rectangle& rectangle) {
    if (!rectangle.used) return;
    for (std::int64_t row = rectangle.top; row <= rectangle.bottom; ++row)
      for (std::int64_t column = rectangle.left; column <= rectangle.right; ++column)
        map[row * width_ + column] = draw(replacement_);
  }

  float probability_;
  Range area_, aspect_, replacement_;
  std::int64_t times_;
  bool shared_;
  std::size_t base_axis_;
  std::mt19937 generator_;
  std::int64_t height_ = 0, width_ = 0;
};

constexpr OperatorDefinition kOperators[] = {
    {"RandomCrop", make_operator<RandomCrop>},
    {"RandomFlip", make_operator<RandomFlip>},
    {"RandomShift", make_operator<RandomShift>},
    {"RandomErase", make_operator<RandomErase>},
};

}  // namespace

OperatorFamily random_image_operators() { return kOperators; }

}  // namespace noren::worker
