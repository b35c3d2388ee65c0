#include "worker/import/port_description.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>

#include "worker/import/input_rule.h"

namespace noren::worker {
namespace {

namespace json = boost::json;

constexpr std::int64_t kFree = -1;

/// What a picture is brought to; 0 and kFree: as the file is.
struct PictureFacts {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool is_flat = false;
  bool is_last = false;
};

PictureFacts facts_of(const InputSignature& input) {
  const Shape sample = sample_shape(input);
  const std::size_t rank = sample.size();
  PictureFacts facts;
  facts.channels = image_channels_of(sample, input.image.layout);
  facts.is_flat = facts.channels == 0;
  if (facts.is_flat) return facts;
  facts.is_last = rank > 2 && input.image.layout == ImageLayout::kChannelsLast;
  const std::size_t row = facts.is_last ? rank - 3 : rank - 2;
  const auto side = [](std::int64_t axis, std::int64_t rule) { return axis == kFree ? rule : axis; };
  facts.channels = side(facts.channels, input.image.channels_count);
  facts.height = side(sample[row], input.image.height_count);
  facts.width = side(sample[row + 1], input.image.width_count);
  return facts;
}

std::string colours_of(const InputSignature& input, const PictureFacts& facts) {
  if (facts.channels == 1 || input.image.grey) return facts.channels > 1 ? "grey in every channel" : "grey";
  if (facts.channels == 2) return "grey and alpha";
  std::string order = input.image.reverse_channels ? "blue, green, red" : "red, green, blue";
  if (facts.channels == 3) return order;
  if (facts.channels == 4) return order + ", alpha";
  return facts.channels > 4 ? std::to_string(facts.channels) + " channels" : "the file's own channels";
}

std::string number_text(float number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", static_cast<double>(number));
  return text.data();
}

std::string numbers_text(const std::vector<float>& numbers) {
  if (numbers.size() == 1) return number_text(numbers[0]);
  std::string text;
  for (const float number : numbers) text += (text.empty() ? "(" : ", ") + number_text(number);
  return text + ")";
}

std::string values_text(const ImageRule& rule) {
  std::string text = rule.normalize ? "value / 255" : "value (0 to 255)";
  const auto is_all = [](const std::vector<float>& list, float same) {
    return std::all_of(list.begin(), list.end(), [&](float number) { return number == same; });
  };
  if (!is_all(rule.scale, 1)) text += " x " + numbers_text(rule.scale);
  if (!is_all(rule.offset, 0)) text += " + " + numbers_text(rule.offset);
  return text;
}

bool takes_files(const InputSignature& input) {
  return input.type != ElementType::kString && input.has_shape && !sample_shape(input).empty();
}

bool has_free_axis(const Shape& shape) { return std::find(shape.begin(), shape.end(), kFree) != shape.end(); }

}  // namespace

std::string picture_text(const InputSignature& input) {
  if (!takes_files(input)) return {};
  const PictureFacts facts = facts_of(input);
  const Shape sample = sample_shape(input);
  if (facts.is_flat)
    return has_free_axis(sample) ? std::string()
                                 : "a picture with as many values, in its order: " + values_text(input.image);
  std::string text = "a picture becomes " + colours_of(input, facts);
  if (sample.size() > 2) text += facts.is_last ? ", channels last" : ", channels first";
  const auto side = [](std::int64_t count) {
    return count > 0 ? std::to_string(count) : std::string("its own");
  };
  text += facts.height > 0 || facts.width > 0
              ? ", height " + side(facts.height) + ", width " + side(facts.width)
              : ", in its own size";
  return text + ": " + values_text(input.image);
}

std::string sound_text(const InputSignature& input) {
  if (!takes_files(input)) return {};
  const Shape sample = sample_shape(input);
  std::string text;
  if (input.sound.layout == SoundLayout::kInterleaved) {
    text = "a sound with as many samples, interleaved";
  } else {
    const std::size_t rank = sample.size();
    const auto front = sample.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(rank, 2));
    if (!std::all_of(sample.begin(), front, [](auto n) { return n == 1; })) return {};
    const bool is_last = input.sound.layout == SoundLayout::kChannelsLast;
    const std::int64_t channels = rank == 1 ? 1 : sample[is_last ? rank - 1 : rank - 2];
    const std::int64_t length = rank == 1 ? sample[0] : sample[is_last ? rank - 2 : rank - 1];
    text = "a sound becomes " + (channels == kFree ? "the file's own" : std::to_string(channels)) +
           (channels == 1 ? " channel" : " channels");
    if (rank > 1) text += is_last ? " (last)" : " (first)";
    text += length == kFree ? " of any length" : " of " + std::to_string(length) + " samples";
  }
  text += input.sound.unit ? ": full scale is 1" : ": sample as stored";
  return input.sound.scale == 1 ? text : text + " x " + number_text(input.sound.scale);
}

json::object picture_json(const InputSignature& input) {
  const PictureFacts facts = facts_of(input);
  const auto list = [](const std::vector<float>& numbers) {
    return json::array(numbers.begin(), numbers.end());
  };
  const char* const order = input.image.grey               ? "gray"
                            : input.image.reverse_channels ? "bgr"
                            : facts.channels == 1          ? "gray"
                                                           : "rgb";
  return {{"layout", facts.is_flat   ? "flat"
                     : facts.is_last ? "channels-last"
                                     : "channels-first"},
          {"colours", order},
          {"height", facts.height},
          {"width", facts.width},
          {"scale", list(input.image.scale)},
          {"offset", list(input.image.offset)}};
}

}  // namespace noren::worker
