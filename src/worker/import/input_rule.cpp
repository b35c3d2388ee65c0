#include "worker/import/input_rule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "base/limits.h"

namespace noren::worker {
namespace {

constexpr std::size_t kChannelsCount = 4;
/// More channels than this are no picture's, and no sound's.
constexpr std::int64_t kSoundChannelsCount = 8;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
bool read_whole(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

/// A float32 that is no infinity.
bool fits(double value) { return std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()); }

/// Reads one rule, word by word; every word at most once.
class RuleReader {
 public:
  RuleReader(const std::string& rule, InputSignature& input) : rule_(rule), input_(input) {}

  Status read(std::string_view text) {
    const std::vector<std::string_view> words = split(text, ':');
    const bool is_image = words[0] == "image";
    if (!is_image && words[0] != "audio") return wrong("'image' or 'audio' is expected behind the =");
    if (input_.type == ElementType::kString) return wrong("the input takes strings, not files");
    if (!input_.has_shape) return wrong("the model does not say the shape of this input");
    if (is_image) input_.image = {.layout = input_.image.layout, .normalize = false};
    for (std::size_t i = 1; i < words.size(); ++i)
      TRY(is_image ? image_word(words[i]) : audio_word(words[i]));
    if (!is_image) {
      if (!fits(factor_)) return wrong("its numbers make values that are too large");
      if (factor_is_set_) input_.sound.scale = static_cast<float>(factor_);
      return Ok{};
    }
    TRY(finish_size());
    TRY(finish_channels());
    return finish_values();
  }

 private:
  Error wrong(const std::string& reason) const { return invalid("input rule '" + rule_ + "': " + reason); }

  Status once(const std::string& what) {
    return seen_.insert(what).second ? Status(Ok{}) : wrong("the " + what + " is there twice");
  }

  Status image_word(std::string_view word) {
    if (word == "rgb" || word == "bgr" || word == "gray" || word == "grey") {
      order_ = word;
      return once("order of colours");
    }
    if (word == "channels-first" || word == "channels-last") {
      input_.image.layout =
          word == "channels-last" ? ImageLayout::kChannelsLast : ImageLayout::kChannelsFirst;
      return once("layout");
    }
    for (const auto& [name, list] :
         {std::pair("mean", &mean_), std::pair("std", &deviation_), std::pair("offset", &offset_)})
      if (word.starts_with(name) && word.substr(std::string_view(name).size()).starts_with('=')) {
        TRY(once(name));
        ASSIGN_OR_RETURN(*list, numbers(word.substr(std::string_view(name).size() + 1)));
        return Ok{};
      }
    if (word.starts_with("size=")) return size(word.substr(5));
    return factor(word);
  }

  Status audio_word(std::string_view word) {
    if (word == "channels-first" || word == "channels-last") {
      input_.sound.layout =
          word == "channels-last" ? SoundLayout::kChannelsLast : SoundLayout::kChannelsFirst;
      return once("layout");
    }
    if (word != "unit") return factor(word);
    input_.sound.unit = true;
    return once("factor");
  }

  Status factor(std::string_view word) {
    ASSIGN_OR_RETURN(factor_, number(word));
    if (factor_ == 0) return wrong("a factor of 0 leaves nothing");
    factor_is_set_ = true;
    return once("factor");
  }

  /// "0.5", "1/255".
  Result<double> number(std::string_view text) const {
    const std::vector<std::string_view> parts = split(text, '/');
    double value = 0, divisor = 1;
    if (parts.size() > 2 || !read_whole(parts[0], value) ||
        (parts.size() == 2 && !read_whole(parts[1], divisor)) || divisor == 0 || !std::isfinite(value) ||
        !std::isfinite(divisor))
      return wrong("'" + std::string(text) + "' is neither a word that is known here nor a number");
    return value / divisor;
  }

  Result<std::vector<double>> numbers(std::string_view text) const {
    std::vector<double> values;
    for (const std::string_view part : split(text, ',')) {
      ASSIGN_OR_RETURN(const double value, number(part));
      values.push_back(value);
    }
    return values;
  }

  Status size(std::string_view text) {
    TRY(once("size"));
    const std::vector<std::string_view> sides = split(text, 'x');
    std::int64_t height = 0, width = 0;
    if (sides.size() != 2 || !read_whole(sides[0], height) || !read_whole(sides[1], width) || height < 1 ||
        width < 1 || height > limits::kImageSideCount || width > limits::kImageSideCount)
      return wrong("size is HEIGHTxWIDTH in pixels, like size=224x224");
    input_.image.height_count = height;
    input_.image.width_count = width;
    return Ok{};
  }

  /// A size is for inputs that take any; of others it may only say what is so.
  Status finish_size() const {
    if (input_.image.height_count == 0) return Ok{};
    const Shape& sample = sample_shape(input_);
    const std::size_t rank = sample.size();
    if (rank < 2) return Ok{};
    const bool is_last = rank > 2 && input_.image.layout == ImageLayout::kChannelsLast;
    const std::size_t row = rank - (is_last ? 3 : 2);
    const auto differs = [](std::int64_t side, std::int64_t wanted) { return side > 0 && side != wanted; };
    if (!differs(sample[row], input_.image.height_count) &&
        !differs(sample[row + 1], input_.image.width_count))
      return Ok{};
    const auto text = [](std::int64_t side) { return side > 0 ? std::to_string(side) : std::string("any"); };
    return wrong("the input's own size is " + text(sample[row]) + "x" + text(sample[row + 1]) +
                 ", and it can't have another one");
  }

  /// What the rule says of colours must be what the input has room for.
  Status finish_channels() {
    const std::int64_t channels = image_channels_of(sample_shape(input_), input_.image.layout);
    const bool is_colour = order_ == "rgb" || order_ == "bgr";
    if (is_colour && channels != -1 && channels != 0 && channels != 3 && channels != 4)
      return wrong("the input has " + std::to_string(channels) + " channels, " + std::string(order_) +
                   " needs 3");
    input_.image.reverse_channels = order_ == "bgr";
    input_.image.grey = !order_.empty() && !is_colour;
    if (!order_.empty()) input_.image.channels_count = is_colour ? 3 : 1;
    return Ok{};
  }

  Status finish_values() {
    std::size_t count = 1;
    for (const auto& [name, list] :
         {std::pair("mean", &mean_), std::pair("std", &deviation_), std::pair("offset", &offset_)}) {
      if (list->size() > kChannelsCount) return wrong(std::string(name) + " has more than 4 numbers");
      if (list->size() > 1 && count > 1 && list->size() != count)
        return wrong("mean, std and offset have different counts of numbers");
      count = std::max(count, list->size());
    }
    const std::int64_t channels = image_channels_of(sample_shape(input_), input_.image.layout);
    if (count > 1 && channels > 0 && channels != static_cast<std::int64_t>(count))
      return wrong("there are " + std::to_string(count) + " numbers for the input's " +
                   std::to_string(channels) + (channels == 1 ? " channel" : " channels"));
    if (std::count(deviation_.begin(), deviation_.end(), 0.0) > 0) return wrong("std is 0");
    const auto at = [](const std::vector<double>& list, std::size_t i, double fallback) {
      return list.empty() ? fallback : list[std::min(i, list.size() - 1)];
    };
    for (std::size_t i = 0; i < count; ++i) {
      const double spread = at(deviation_, i, 1);
      const double scale = factor_ / spread, offset = at(offset_, i, 0) - at(mean_, i, 0) / spread;
      if (!fits(scale) || !fits(offset)) return wrong("its numbers make values that are too large");
      input_.image.scale.push_back(static_cast<float>(scale));
      input_.image.offset.push_back(static_cast<float>(offset));
    }
    return Ok{};
  }

  const std::string& rule_;
  InputSignature& input_;
  std::set<std::string> seen_;
  std::string_view order_;
  double factor_ = 1;
  bool factor_is_set_ = false;
  std::vector<double> mean_, deviation_, offset_;
};

}  // namespace

Status apply_input_rule(const std::string& rule, std::string_view text, InputSignature& input) {
  return RuleReader(rule, input).read(text);
}

ImageLayout image_layout_of(const Shape& sample) {
  if (sample.size() < 3) return ImageLayout::kChannelsFirst;
  const auto is_usual = [](std::int64_t axis) { return axis == 1 || axis == 3 || axis == 4; };
  const std::int64_t first = sample[sample.size() - 3], last = sample.back();
  const bool is_last = !is_usual(first) && (is_usual(last) || (last == 2 && first != 2));
  return is_last ? ImageLayout::kChannelsLast : ImageLayout::kChannelsFirst;
}

SoundLayout sound_layout_of(const Shape& sample) {
  const auto is_channels = [](std::int64_t axis) { return axis >= 1 && axis <= kSoundChannelsCount; };
  if (sample.size() < 2) return SoundLayout::kChannelsFirst;
  const bool is_last = is_channels(sample.back()) && !is_channels(sample[sample.size() - 2]);
  return is_last ? SoundLayout::kChannelsLast : SoundLayout::kChannelsFirst;
}

std::int64_t image_channels_of(const Shape& sample, ImageLayout layout) {
  const std::size_t rank = sample.size();
  if (rank == 2) return 1;
  if (rank < 3 || !std::all_of(sample.begin(), sample.end() - 3, [](auto n) { return n == 1; })) return 0;
  return layout == ImageLayout::kChannelsLast ? sample[rank - 1] : sample[rank - 3];
}

}  // namespace noren::worker
