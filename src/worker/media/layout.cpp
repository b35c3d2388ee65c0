#include "worker/media/layout.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "worker/media/resize.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kFree = -1;

/// How a picture lies in the target: C, H and W (kFree: as in the file), or one row of values.
struct Geometry {
  std::int64_t channels = kFree;
  std::int64_t height = kFree;
  std::int64_t width = kFree;
  bool is_flat = false;
};

Geometry geometry_of(const MediaTarget& target) {
  const Shape& shape = target.shape;
  const std::size_t rank = shape.size();
  // A free axis is what the rule says, else what the file has.
  const auto side = [](std::int64_t of_shape, std::int64_t of_rule) {
    return of_shape == kFree && of_rule > 0 ? of_rule : of_shape;
  };
  const auto map = [&](std::int64_t channels, std::int64_t height, std::int64_t width) {
    return Geometry{side(channels, target.channels_count), side(height, target.height_count),
                    side(width, target.width_count), false};
  };
  if (rank == 2) return map(1, shape[0], shape[1]);
  const bool is_map = rank >= 3 && std::all_of(shape.begin(), shape.end() - 3, [](auto n) { return n == 1; });
  if (!is_map) return {kFree, kFree, kFree, true};
  if (target.layout == ImageLayout::kChannelsLast)
    return map(shape[rank - 1], shape[rank - 3], shape[rank - 2]);
  return map(shape[rank - 3], shape[rank - 2], shape[rank - 1]);
}

/// Keeps the first `count` channels of each pixel.
void keep_channels(Picture& picture, int count) {
  const auto bytes_per_value = static_cast<std::size_t>(picture.bits_count / 8);
  const std::size_t from = static_cast<std::size_t>(picture.channels_count) * bytes_per_value;
  const std::size_t to = static_cast<std::size_t>(count) * bytes_per_value;
  const auto pixels = static_cast<std::size_t>(picture.width * picture.height);
  for (std::size_t i = 0; i < pixels; ++i) std::memmove(&picture.bytes[i * to], &picture.bytes[i * from], to);
  picture.bytes.resize(pixels * to);
  picture.channels_count = count;
  picture.kind = ChannelKind::kPlain;
}

bool may_leave_out(const Picture& picture, std::int64_t channels) {
  return (picture.kind == ChannelKind::kPaletteAlpha && channels == picture.channels_count - 1) ||
         (picture.kind == ChannelKind::kGreyTripled && channels == 1);
}

/// Training never converted between grey and colour: the file's channels are the input's.
Status fit_channels(Picture& picture, std::int64_t channels) {
  if (channels == picture.channels_count) return Ok{};
  if (may_leave_out(picture, channels)) {
    keep_channels(picture, static_cast<int>(channels));
    return Ok{};
  }
  return invalid("the picture has " + std::to_string(picture.channels_count) +
                 (picture.channels_count == 1 ? " channel" : " channels") + ", the input takes " +
                 std::to_string(channels) + " (grey, colour and alpha are not converted)");
}

void grey_to_colour(Picture& picture) {
  std::vector<std::uint8_t> bytes(picture.bytes.size() * 3);
  for (std::size_t i = 0; i < picture.bytes.size(); ++i) std::fill_n(&bytes[3 * i], 3, picture.bytes[i]);
  picture.bytes = std::move(bytes);
  picture.channels_count = 3;
}

/// Brightness by ITU-R 601-2: 0.299 red, 0.587 green, 0.114 blue, in 16-bit fixed point.
void colour_to_grey(Picture& picture) {
  const std::size_t pixels = picture.bytes.size() / 3;
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* rgb = &picture.bytes[3 * i];
    picture.bytes[i] =
        static_cast<std::uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 32768u) >> 16);
  }
  picture.bytes.resize(pixels);
  picture.channels_count = 1;
  picture.kind = ChannelKind::kPlain;
}

void to_8_bits(Picture& picture) {
  const std::size_t count = picture.bytes.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t value = 0;
    std::memcpy(&value, &picture.bytes[2 * i], 2);
    picture.bytes[i] = static_cast<std::uint8_t>((value + 128u) / 257u);
  }
  picture.bytes.resize(count);
  picture.bits_count = 8;
}

/// A plain ONNX model says what it takes, not what its training did: pictures are brought to that, at 0..255.
Status convert_channels(Picture& picture, std::int64_t channels) {
  if (picture.bits_count == 16) to_8_bits(picture);
  if (channels == kFree || channels == picture.channels_count) return Ok{};
  if (picture.has_alpha()) keep_channels(picture, picture.channels_count - 1);
  if (picture.channels_count == 1 && channels == 3) grey_to_colour(picture);
  if (picture.channels_count == 3 && channels == 1) colour_to_grey(picture);
  return fit_channels(picture, channels);
}

/// Value of a pixel's number → value in the tensor, for each channel.
class Levels {
 public:
  Levels(const Picture& picture, const MediaTarget& target) : target_(target) {
    unit_ = target.normalization == Normalization::kNone ? 1.0
                                                         : 1.0 / (picture.bits_count == 16 ? 65535.0 : 255.0);
  }
  float at(std::uint32_t value, std::size_t channel) const {
    auto level = static_cast<float>(static_cast<double>(value) * unit_);
    if (!target_.scale.empty()) level *= target_.scale[std::min(channel, target_.scale.size() - 1)];
    if (!target_.offset.empty()) level += target_.offset[std::min(channel, target_.offset.size() - 1)];
    return level;
  }

 private:
  const MediaTarget& target_;
  double unit_ = 1.0;
};

/// Where a channel's values go: their start and the distance from one pixel to the next.
struct Plane {
  float* first;
  std::size_t step;
};

void write_plane(const Picture& picture, std::size_t channel, const Levels& levels, std::size_t as_channel,
                 Plane out) {
  const auto channels = static_cast<std::size_t>(picture.channels_count);
  const auto pixels = static_cast<std::size_t>(picture.width * picture.height);
  if (picture.bits_count == 16) {
    for (std::size_t i = 0; i < pixels; ++i) {
      std::uint16_t value = 0;
      std::memcpy(&value, &picture.bytes[2 * (i * channels + channel)], 2);
      out.first[i * out.step] = levels.at(value, as_channel);
    }
    return;
  }
  std::array<float, 256> table;
  for (std::uint32_t value = 0; value < table.size(); ++value) table[value] = levels.at(value, as_channel);
  const std::uint8_t* from = picture.bytes.data() + channel;
  for (std::size_t i = 0; i < pixels; ++i, from += channels) out.first[i * out.step] = table[*from];
}

Tensor write_tensor(const Picture& picture, const MediaTarget& target, Shape shape) {
  Tensor tensor(ElementType::kFloat32, std::move(shape));
  const Levels levels(picture, target);
  const auto channels = static_cast<std::size_t>(picture.channels_count);
  const auto pixels = static_cast<std::size_t>(picture.width * picture.height);
  for (std::size_t c = 0; c < channels; ++c) {
    // With blue first, channel c of the tensor shows the file's channel 2 - c; alpha stays last.
    const std::size_t from = target.reverse_channels && c < 3 && channels >= 3 ? 2 - c : c;
    float* values = tensor.data<float>();
    const bool is_last = target.layout == ImageLayout::kChannelsLast;
    write_plane(picture, from, levels, c,
                is_last ? Plane{values + c, channels} : Plane{values + c * pixels, 1});
  }
  return tensor;
}

/// An input that is no map of pixels takes a picture whose values are as many, channel by channel.
Result<Tensor> lay_out_flat(Picture picture, const MediaTarget& target) {
  if (std::any_of(target.shape.begin(), target.shape.end(), [](auto n) { return n < 0; }))
    return invalid("this input takes no picture: it is no map of pixels, and its length is free");
  ASSIGN_OR_RETURN(const std::int64_t expected, checked_element_count(target.shape));
  const std::int64_t pixels = picture.width * picture.height;
  for (std::int64_t channels = 1; channels < picture.channels_count; ++channels)
    if (pixels * channels == expected && may_leave_out(picture, channels)) {
      keep_channels(picture, static_cast<int>(channels));
      break;
    }
  const std::int64_t count = pixels * picture.channels_count;
  if (count != expected)
    return invalid("the picture (" + describe_picture(picture) + ") has " + std::to_string(count) +
                   " values, the input takes " + std::to_string(expected));
  return write_tensor(picture, target, target.shape);
}

}  // namespace

Result<Tensor> lay_out(Picture picture, const MediaTarget& target) {
  const Geometry geometry = geometry_of(target);
  if (geometry.is_flat) return lay_out_flat(std::move(picture), target);
  if (target.layout == ImageLayout::kSampleShape) {
    TRY(fit_channels(picture, geometry.channels));
  } else {
    if (target.grey) TRY(convert_channels(picture, 1));
    TRY(convert_channels(picture, geometry.channels));
  }
  const std::int64_t width = geometry.width == kFree ? picture.width : geometry.width;
  const std::int64_t height = geometry.height == kFree ? picture.height : geometry.height;
  if (width != picture.width || height != picture.height) {
    ASSIGN_OR_RETURN(picture, resize(picture, width, height));
  }
  Shape shape = target.shape;
  const std::size_t rank = shape.size();
  if (rank >= 3)
    shape[target.layout == ImageLayout::kChannelsLast ? rank - 1 : rank - 3] = picture.channels_count;
  shape[rank - (rank >= 3 && target.layout == ImageLayout::kChannelsLast ? 3 : 2)] = height;
  shape[rank - (rank >= 3 && target.layout == ImageLayout::kChannelsLast ? 2 : 1)] = width;
  return write_tensor(picture, target, std::move(shape));
}

}  // namespace noren::worker
