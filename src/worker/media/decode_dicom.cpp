// DICOM as the reference's loader shows it: rescaled and cut to a whole number, MONOCHROME1 inverted from the
// bits allocated, then the window to 0..255. Grey becomes three equal channels, colours run through the same
// window.
#include <algorithm>
#include <cmath>

#include "worker/media/decoders.h"
#include "worker/media/dicom_dataset.h"
#include "worker/media/dicom_pixels.h"

namespace noren::worker {
namespace {

/// What is shown black and what white; the formula is the reference loader's own.
class Window {
 public:
  explicit Window(const DicomDataset& dataset) {
    const double range = std::ldexp(1.0, dataset.bits_allocated);
    const double center = dataset.window_center.value_or(range / 2);
    const double width = dataset.window_width.value_or(range);
    max_ = center + 0.5 * width - 0.5;
    min_ = max_ - width - 0.5;
    factor_ = 255.0 / std::max(max_ - min_, 1.0);
  }
  std::uint8_t of(double value) const {
    if (value <= min_) return 0;
    if (value > max_) return 255;
    return static_cast<std::uint8_t>((value - min_) * factor_);
  }

 private:
  double min_ = 0;
  double max_ = 0;
  double factor_ = 1;
};

double stored_value(std::uint32_t bits, const DicomDataset& dataset) {
  if (!dataset.is_signed) return bits;
  const int unused = 32 - dataset.bits_allocated;
  return static_cast<std::int32_t>(bits << unused) >> unused;
}

}  // namespace

Result<Picture> decode_dicom(ByteView file) {
  ASSIGN_OR_RETURN(const DicomDataset dataset, read_dicom(file));
  ASSIGN_OR_RETURN(const std::vector<std::uint32_t> pixels, read_dicom_pixels(dataset));
  const bool is_grey = dataset.samples_count == 1;
  ASSIGN_OR_RETURN(Picture picture,
                   make_picture({dataset.columns, dataset.rows, 3, 8,
                                 is_grey ? ChannelKind::kGreyTripled : ChannelKind::kPlain}));
  const Window window(dataset);
  const bool is_inverted = dataset.photometric == "MONOCHROME1";
  const double range = std::ldexp(1.0, dataset.bits_allocated);
  const std::size_t copies = is_grey ? 3 : 1;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    double value = stored_value(pixels[i], dataset) * dataset.rescale_slope + dataset.rescale_intercept;
    if (is_inverted) value = range - value;
    value = std::trunc(value);
    // Signed pixels are inverted in their own type: all of them leave it, and come back as their negatives.
    if (is_inverted && dataset.is_signed) value -= range;
    std::fill_n(&picture.bytes[i * copies], copies, window.of(value));
  }
  return picture;
}

}  // namespace noren::worker
