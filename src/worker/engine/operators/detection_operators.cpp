// Detection and matching: suppression of overlapping boxes, correlation of patches.
#include <algorithm>
#include <numeric>
#include <vector>

#include "worker/engine/operators/families.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kBoxNumbers = 4;  // x, y, width, height
constexpr std::int64_t kObjectness = 4;
constexpr std::int64_t kFirstClass = 5;

float overlap(float a_center, float a_length, float b_center, float b_length) {
  return std::min(a_center + a_length / 2, b_center + b_length / 2) -
         std::max(a_center - a_length / 2, b_center - b_length / 2);
}

/// Intersection over union of two boxes (centre x, centre y, width, height).
float box_iou(const float* a, const float* b) {
  const float width = overlap(a[0], a[2], b[0], b[2]), height = overlap(a[1], a[3], b[1], b[3]);
  if (width <= 0 || height <= 0) return 0;
  const float both = width * height;
  return both / (a[2] * a[3] + b[2] * b[3] - both);
}

/// (B, boxes, 5 + classes): what is under the threshold becomes 0, and what overlaps a better box too much.
class NmsDetection2d final : public Operator {
 public:
  explicit NmsDetection2d(const OperatorAttributes& attributes)
      : threshold_(attributes.real("thresh", 0.5F)),
        overlap_(attributes.real("nms", 0.45F)),
        per_class_(attributes.integer("nms_per_class", 1) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    if (x.shape.size() != 3 || x.shape[2] <= kFirstClass)
      throw OperatorFailure("NmsDetection2d: wrong shape");
    boxes_ = x.shape[1];
    numbers_ = x.shape[2];
    float* y = context.output(0, x.shape);
    for (std::int64_t batch = 0; batch < x.shape[0]; ++batch) {
      float* rows = y + batch * boxes_ * numbers_;
      apply_threshold(x.floats() + batch * boxes_ * numbers_, rows);
      if (!per_class_) suppress(rows, kObjectness);
      for (std::int64_t c = kFirstClass; per_class_ && c < numbers_; ++c) suppress(rows, c);
    }
  }

 private:
  void apply_threshold(const float* x, float* y) const {
    const auto kept = [this](float value) { return value < threshold_ ? 0.0F : value; };
    for (std::int64_t box = 0; box < boxes_; ++box, x += numbers_, y += numbers_) {
      std::copy(x, x + kBoxNumbers, y);
      y[kObjectness] = kept(x[kObjectness]);
      for (std::int64_t c = kFirstClass; c < numbers_; ++c) y[c] = kept(y[kObjectness] * x[c]);
    }
  }

  /// Best first by the score of one column; a box that overlaps a better one loses that score (with the
  /// objectness, all of its scores).
  void suppress(float* rows, std::int64_t column) const {
    std::vector<std::int64_t> order(static_cast<std::size_t>(boxes_));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return rows[a * numbers_ + column] > rows[b * numbers_ + column];
    });
    if (column == kObjectness) return suppress_whole(rows, order);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const float* best = rows + order[i] * numbers_;
      if (best[column] == 0) continue;
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        float* other = rows + order[j] * numbers_;
        if (other[column] != 0 && box_iou(best, other) > overlap_) other[column] = 0;
      }
    }
  }

  /// The reference goes from the worst box up, and compares with every better one, dropped or not.
  void suppress_whole(float* rows, const std::vector<std::int64_t>& order) const {
    for (std::size_t i = order.size(); i-- > 0;) {
      float* box = rows + order[i] * numbers_;
      if (box[kObjectness] == 0) continue;
      for (std::size_t j = i; j-- > 0;)
        if (box_iou(box, rows + order[j] * numbers_) > overlap_) {
          std::fill(box + kObjectness, box + numbers_, 0.0F);
          break;
        }
    }
  }

  float threshold_, overlap_;
  bool per_class_;
  std::int64_t boxes_ = 0, numbers_ = 0;
};

/// x1, x2: (N, H, W, C) → (N, out H, out W, shifts H, shifts W): sums of products of patches of x1 with
/// shifted patches of x2; what lies outside of a map counts as 0.
class PatchCorrelation final : public Operator {
 public:
  explicit PatchCorrelation(const OperatorAttributes& attributes)
      : patch_(attributes.integers("patch")),
        shift_(attributes.integers("shift")),
        patch_step_(attributes.integers("patch_step")),
        shift_step_(attributes.integers("shift_step")),
        padding_(attributes.integers("padding")) {}

  void compute(OperatorContext& context) override {
    const OperatorInput a = context.input(0), b = context.input(1);
    if (a.shape.size() != 4 || a.shape != b.shape) throw OperatorFailure("PatchCorrelation: wrong shapes");
    height_ = a.shape[1], width_ = a.shape[2], channels_ = a.shape[3];
    const Shape shape = {a.shape[0], (height_ + padding_[0] + padding_[1] - patch_[0]) / patch_step_[0] + 1,
                         (width_ + padding_[2] + padding_[3] - patch_[1]) / patch_step_[1] + 1,
                         2 * shift_[0] / shift_step_[0] + 1, 2 * shift_[1] / shift_step_[1] + 1};
    float* out = context.output(0, shape);
    const std::int64_t map = height_ * width_ * channels_;
    for (std::int64_t n = 0; n < shape[0]; ++n)
      for (std::int64_t row = 0; row < shape[1]; ++row)
        for (std::int64_t column = 0; column < shape[2]; ++column)
          for (std::int64_t dy = 0; dy < shape[3]; ++dy)
            for (std::int64_t dx = 0; dx < shape[4]; ++dx)
              *out++ = correlate(a.floats() + n * map, b.floats() + n * map,
                                 row * patch_step_[0] - padding_[0], column * patch_step_[1] - padding_[2],
                                 dy * shift_step_[0] - shift_[0], dx * shift_step_[1] - shift_[1]);
  }

 private:
  float correlate(const float* a, const float* b, std::int64_t y, std::int64_t x, std::int64_t dy,
                  std::int64_t dx) const {
    const auto inside = [](std::int64_t position, std::int64_t shift, std::int64_t length) {
      return position >= 0 && position < length && position + shift >= 0 && position + shift < length;
    };
    float sum = 0;
    for (std::int64_t row = y; row < y + patch_[0]; ++row) {
      if (!inside(row, dy, height_)) continue;
      for (std::int64_t column = x; column < x + patch_[1]; ++column) {
        if (!inside(column, dx, width_)) continue;
        const float* from = a + (row * width_ + column) * channels_;
        const float* with = b + ((row + dy) * width_ + column + dx) * channels_;
        for (std::int64_t c = 0; c < channels_; ++c) sum += from[c] * with[c];
      }
    }
    return sum;
  }

  std::vector<std::int64_t> patch_, shift_, patch_step_, shift_step_, padding_;
  std::int64_t height_ = 0, width_ = 0, channels_ = 0;
};

constexpr OperatorDefinition kOperators[] = {
    {"NmsDetection2d", make_operator<NmsDetection2d>},
    {"PatchCorrelation", make_operator<PatchCorrelation>},
};

}  // namespace

OperatorFamily detection_operators() { return kOperators; }

}  // namespace noren::worker
