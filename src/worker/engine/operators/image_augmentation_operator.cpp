// ImageAugmentation: a random affine view of each picture, then brightness, contrast and noise. The steps and
// the order of the draws are those of the reference's documentation and behaviour.
#include <algorithm>
#include <cmath>
#include <vector>

#include "worker/engine/operators/families.h"
#include "worker/engine/operators/random_generator.h"

namespace noren::worker {
namespace {

class ImageAugmentation final : public Operator {
 public:
  explicit ImageAugmentation(const OperatorAttributes& a)
      : shape_(a.integers("shape")),
        pad_(a.integers("pad")),
        min_scale_(a.real("min_scale", 1)),
        max_scale_(a.real("max_scale", 1)),
        angle_(a.real("angle", 0)),
        aspect_ratio_(a.real("aspect_ratio", 1)),
        distortion_(a.real("distortion", 0)),
        brightness_(a.real("brightness", 0)),
        contrast_(a.real("contrast", 1)),
        contrast_center_(a.real("contrast_center", 0)),
        noise_(a.real("noise", 0)),
        flip_lr_(a.integer("flip_lr", 0) != 0),
        flip_ud_(a.integer("flip_ud", 0) != 0),
        brightness_each_(a.integer("brightness_each", 0) != 0),
        contrast_each_(a.integer("contrast_each", 0) != 0),
        generator_(make_generator(a)) {
    if (shape_.size() < 2 || pad_.size() != 2) throw OperatorFailure("ImageAugmentation: wrong attributes");
  }

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    if (x.shape.size() < 2 || shape_.size() > x.shape.size())
      throw OperatorFailure("ImageAugmentation: wrong rank");
    Shape out = x.shape;
    std::copy(shape_.begin(), shape_.end(), out.end() - static_cast<std::ptrdiff_t>(shape_.size()));
    const std::size_t rank = x.shape.size();
    in_height_ = x.shape[rank - 2], in_width_ = x.shape[rank - 1];
    out_height_ = out[rank - 2], out_width_ = out[rank - 1];
    const std::int64_t channels = rank >= 3 ? x.shape[rank - 3] : 1;
    const std::int64_t pictures = x.count / (in_height_ * in_width_ * channels);
    float* y = context.output(0, out);
    if (element_count(out) != pictures * channels * out_height_ * out_width_)
      throw OperatorFailure("ImageAugmentation: only height and width can change");
    for (std::int64_t i = 0; i < pictures; ++i)
      augment(x.floats() + i * channels * in_height_ * in_width_, channels,
              y + i * channels * out_height_ * out_width_);
  }

 private:
  /// 0, 0.001 … 1: the steps in which the reference draws.
  float draw() { return static_cast<float>(generator_() % 1001) * 0.001F; }

  /// Where output pixel (0, 0) lies in the input, and the steps per output column and row.
  struct View {
    float x0 = 0, y0 = 0, x_per_column = 0, y_per_column = 0, x_per_row = 0, y_per_row = 0;
  };

  View draw_view() {
    const float scale = min_scale_ * std::exp(draw() * std::log(max_scale_ / min_scale_));
    const float log_aspect = std::log(aspect_ratio_);
    const float scale_x = std::exp(-log_aspect * 0.5F + draw() * log_aspect), scale_y = 1.0F / scale_x;
    const float inverse_x = 1.0F / (scale * scale_x), inverse_y = 1.0F / (scale * scale_y);
    const float angle = -angle_ + draw() * angle_ * 2;
    const float width = static_cast<float>(in_width_ + 2 * pad_[1]) * scale * scale_x;
    const float height = static_cast<float>(in_height_ + 2 * pad_[0]) * scale * scale_y;
    const float centre_x = static_cast<float>(out_width_ - 1) * 0.5F,
                centre_y = static_cast<float>(out_height_ - 1) * 0.5F;
    const float scaled_x = draw() * (width - static_cast<float>(out_width_)) + centre_x;
    const float scaled_y = draw() * (height - static_cast<float>(out_height_)) + centre_y;
    const bool mirror = flip_lr_ && generator_() % 2 != 0;
    const bool upside_down = flip_ud_ && generator_() % 2 != 0;
    View view;
    view.x_per_column = (mirror ? -std::cos(angle) : std::cos(angle)) * inverse_x;
    view.x_per_row = (mirror ? std::sin(angle) : -std::sin(angle)) * inverse_y;
    view.y_per_column = (upside_down ? -std::sin(angle) : std::sin(angle)) * inverse_x;
    view.y_per_row = (upside_down ? -std::cos(angle) : std::cos(angle)) * inverse_y;
    view.x0 = scaled_x * inverse_x - (view.x_per_column * centre_x + view.x_per_row * centre_y) -
              static_cast<float>(pad_[1]);
    view.y0 = scaled_y * inverse_y - (view.y_per_column * centre_x + view.y_per_row * centre_y) -
              static_cast<float>(pad_[0]);
    return view;
  }

  float draw_brightness() { return draw() * brightness_ * 2 - brightness_; }
  float draw_contrast() { return std::exp(draw() * std::log(contrast_) * 2) / contrast_; }

  void augment(const float* x, std::int64_t channels, float* y) {
    const View view = draw_view();
    const float brightness = draw_brightness(), contrast = draw_contrast();
    std::vector<float> offset, gain;
    for (std::int64_t c = 0; c < channels; ++c) {
      offset.push_back((brightness_each_ ? draw_brightness() : brightness) - contrast_center_);
      gain.push_back(contrast_each_ ? draw_contrast() : contrast);
    }
    const float distortion = std::exp(draw() * 2 * distortion_ - distortion_) - 1;
    const float noise = draw() * noise_;
    std::normal_distribution<double> normal(0.0, 1.0);
    const std::int64_t in_map = in_height_ * in_width_, out_map = out_height_ * out_width_;
    for (std::int64_t i = 0; i < out_map; ++i) {
      const Place place = place_of(view, distortion, i % out_width_, i / out_width_);
      for (std::int64_t c = 0; c < channels; ++c) {
        float value = (sample(x + c * in_map, place) + offset[static_cast<std::size_t>(c)]) *
                          gain[static_cast<std::size_t>(c)] +
                      contrast_center_;
        if (noise > 0) value += static_cast<float>(normal(generator_)) * noise;
        y[c * out_map + i] = value;
      }
    }
  }

  struct Place {
    std::int64_t left = 0, right = 0, top = 0, bottom = 0;
    float along = 0, down = 0;
  };

  Place place_of(const View& view, float distortion, std::int64_t column, std::int64_t row) const {
    auto across = static_cast<float>(column), down = static_cast<float>(row);
    if (distortion != 0) {  // a lens: what is far from the middle moves
      const float half_width = static_cast<float>(out_width_) * 0.5F,
                  half_height = static_cast<float>(out_height_) * 0.5F;
      const float dx = (across - half_width) / half_width, dy = (down - half_height) / half_height;
      const float bend = (1 + distortion * (dx * dx + dy * dy)) / (1 + distortion);
      across = dx * bend * half_width + half_width;
      down = dy * bend * half_height + half_height;
    }
    const auto kept = [](float position, std::int64_t last) {
      return position < 0 ? 0.0F : std::min(position, static_cast<float>(last));
    };
    const float x = kept(view.x0 + across * view.x_per_column + down * view.x_per_row, in_width_ - 1);
    const float y = kept(view.y0 + across * view.y_per_column + down * view.y_per_row, in_height_ - 1);
    Place place;
    place.left = static_cast<std::int64_t>(x), place.top = static_cast<std::int64_t>(y);
    place.right = std::min(place.left + 1, in_width_ - 1),
    place.bottom = std::min(place.top + 1, in_height_ - 1);
    place.along = x - static_cast<float>(place.left), place.down = y - static_cast<float>(place.top);
    return place;
  }

  float sample(const float* map, const Place& p) const {
    const float* top = map + p.top * in_width_;
    const float* bottom = map + p.bottom * in_width_;
    return top[p.left] * (1 - p.along) * (1 - p.down) + top[p.right] * p.along * (1 - p.down) +
           bottom[p.left] * (1 - p.along) * p.down + bottom[p.right] * p.along * p.down;
  }

  Shape shape_, pad_;
  float min_scale_, max_scale_, angle_, aspect_ratio_, distortion_, brightness_, contrast_, contrast_center_,
      noise_;
  bool flip_lr_, flip_ud_, brightness_each_, contrast_each_;
  std::mt19937 generator_;
  std::int64_t in_height_ = 0, in_width_ = 0, out_height_ = 0, out_width_ = 0;
};

constexpr OperatorDefinition kOperators[] = {
    {"ImageAugmentation", make_operator<ImageAugmentation>},
};

}  // namespace

OperatorFamily image_augmentation_operators() { return kOperators; }

}  // namespace noren::worker
