#include <algorithm>
#include <utility>

#include "worker/media/layout.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kFree = -1;

/// Channels and length that the target has; kFree: as in the file.
struct SoundGeometry {
  std::int64_t channels = 1;
  std::int64_t length = kFree;
};

std::string channels_text(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " channel" : " channels");
}

/// [T], [C,T] or [T,C], with any number of ones in front.
Result<SoundGeometry> geometry_of(const MediaTarget& target) {
  const Shape& shape = target.shape;
  const std::size_t rank = shape.size();
  const std::size_t axes = std::min<std::size_t>(rank, 2);
  if (rank == 0 || !std::all_of(shape.begin(), shape.end() - static_cast<std::ptrdiff_t>(axes),
                                [](auto n) { return n == 1; }))
    return invalid("this input (" + to_string(shape) + ") takes no sound");
  SoundGeometry geometry{1, shape[rank - 1]};
  if (rank >= 2) {
    geometry.channels = shape[rank - 2];
    if (target.sound.layout == SoundLayout::kChannelsLast) std::swap(geometry.channels, geometry.length);
  }
  if (geometry.channels == 0) return invalid("this input (" + to_string(shape) + ") takes no sound");
  return geometry;
}

void to_scale(Sound& sound, const SoundRule& rule) {
  const float center = rule.unit ? sound.center : 0;
  const float scale = rule.unit ? rule.scale / sound.full_scale : rule.scale;
  for (float& sample : sound.samples) sample = (sample - center) * scale;
}

/// One channel becomes several equal ones, several become their mean; other counts have no rule.
Status convert_channels(Sound& sound, std::int64_t channels) {
  if (channels == kFree || channels == sound.channels_count) return Ok{};
  if (channels != 1 && sound.channels_count != 1)
    return invalid("the WAV file has " + channels_text(sound.channels_count) + ", the input takes " +
                   std::to_string(channels));
  const auto from = static_cast<std::size_t>(sound.channels_count);
  const auto to = static_cast<std::size_t>(channels);
  const std::size_t length = sound.samples.size() / from;
  std::vector<float> converted(length * to);
  for (std::size_t t = 0; t < length; ++t) {
    double sum = 0;
    for (std::size_t c = 0; c < from; ++c) sum += sound.samples[t * from + c];
    std::fill_n(&converted[t * to], to, static_cast<float>(sum / static_cast<double>(from)));
  }
  sound.samples = std::move(converted);
  sound.channels_count = channels;
  return Ok{};
}

/// The samples in the file's own order, for inputs with exactly as many values.
Result<Tensor> lay_out_interleaved(Sound sound, const MediaTarget& target) {
  ASSIGN_OR_RETURN(const std::int64_t expected, checked_element_count(target.shape));
  const auto count = static_cast<std::int64_t>(sound.samples.size());
  if (count != expected)
    return invalid("the WAV file has " + std::to_string(count) + " samples (" +
                   std::to_string(sound.channels_count) + " channels), " + std::to_string(expected) +
                   " expected");
  return Tensor::from_floats(target.shape, std::move(sound.samples));
}

}  // namespace

Result<Tensor> lay_out(Sound sound, const MediaTarget& target) {
  to_scale(sound, target.sound);
  if (target.sound.layout == SoundLayout::kInterleaved) return lay_out_interleaved(std::move(sound), target);
  ASSIGN_OR_RETURN(const SoundGeometry geometry, geometry_of(target));
  TRY(convert_channels(sound, geometry.channels));
  const auto channels = static_cast<std::size_t>(sound.channels_count);
  const std::size_t length = sound.samples.size() / channels;
  if (geometry.length != kFree && geometry.length != static_cast<std::int64_t>(length))
    return invalid("the WAV file has " + std::to_string(length) + " samples a channel, the input takes " +
                   std::to_string(geometry.length));
  Shape shape = target.shape;
  const bool is_last = target.sound.layout == SoundLayout::kChannelsLast;
  const std::size_t rank = shape.size();
  shape[rank >= 2 && is_last ? rank - 2 : rank - 1] = static_cast<std::int64_t>(length);
  if (rank >= 2) shape[is_last ? rank - 1 : rank - 2] = sound.channels_count;
  if (is_last || channels == 1) return Tensor::from_floats(std::move(shape), std::move(sound.samples));
  std::vector<float> planes(sound.samples.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t t = 0; t < length; ++t) planes[c * length + t] = sound.samples[t * channels + c];
  return Tensor::from_floats(std::move(shape), std::move(planes));
}

}  // namespace noren::worker
