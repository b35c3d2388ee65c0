#include "worker/import/image_metadata.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace noren::worker {
namespace {

constexpr std::string_view kOwnPrefix = "noren.input.";
constexpr std::string_view kPixelFormat = "image.bitmappixelformat";
constexpr std::string_view kPixelRange = "image.nominalpixelrange";
constexpr std::string_view kGamma = "image.colorspacegamma";

struct Word {
  std::string_view written;
  std::string_view rule;
};
constexpr std::array<Word, 5> kPixelFormats = {
    {{"gray8", ":gray"}, {"rgb8", ":rgb"}, {"bgr8", ":bgr"}, {"rgba8", ":rgb"}, {"bgra8", ":bgr"}}};
constexpr std::array<Word, 4> kPixelRanges = {{{"nominalrange_0_255", ""},
                                               {"normalized_0_1", ":1/255"},
                                               {"normalized_1_1", ":1/127.5:offset=-1"},
                                               {"nominalrange_16_235", ":219/255:offset=16"}}};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return result;
}

/// The standard's keys and values are written in any letter case.
std::string standard_value(const OnnxFile& file, std::string_view key) {
  for (const auto& [name, value] : file.metadata)
    if (lower(name) == key) return lower(value);
  return {};
}

template <std::size_t N>
const Word* find(const std::array<Word, N>& words, const std::string& written) {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const Word& word) { return word.written == written; });
  return found == words.end() ? nullptr : &*found;
}

/// Where the model names no input an image, the keys are meant for what looks like one.
bool is_meant(const OnnxFile& file, const OnnxPort& port, InputShape shape) {
  const auto is_named = [](const OnnxPort& each) { return lower(each.denotation) == "image"; };
  return std::any_of(file.inputs.begin(), file.inputs.end(), is_named) ? is_named(port)
                                                                       : shape == InputShape::kOfPicture;
}

std::optional<FoundRule> standard_rule(const OnnxFile& file) {
  const Word* format = find(kPixelFormats, standard_value(file, kPixelFormat));
  const Word* range = find(kPixelRanges, standard_value(file, kPixelRange));
  if (format == nullptr && range == nullptr) return std::nullopt;
  FoundRule found{"image", "metadata Image.BitmapPixelFormat and Image.NominalPixelRange"};
  if (format != nullptr) found.text += format->rule;
  if (range != nullptr) found.text += range->rule;
  return found;
}

std::string value_of(const OnnxFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  return found == file.metadata.end() ? std::string() : found->second;
}

/// "[640, 480]" (height, width) → ":size=640x480".
std::string size_word(std::string_view text) {
  std::string numbers;
  for (const char c : text) {
    if (c >= '0' && c <= '9') numbers += c;
    if (c == ',') numbers += 'x';
  }
  const bool is_pair = std::count(numbers.begin(), numbers.end(), 'x') == 1 && numbers.front() != 'x' &&
                       numbers.back() != 'x' && numbers.size() <= 11;
  return is_pair ? ":size=" + numbers : std::string();
}

/// These exporters train on colours from 0 to 1, and write stride and names.
std::optional<FoundRule> yolo_rule(const OnnxFile& file) {
  if (!file.metadata.contains("stride") || !file.metadata.contains("names")) return std::nullopt;
  const bool is_grey = value_of(file, "channels") == "1";
  return FoundRule{
      std::string("image:") + (is_grey ? "gray" : "rgb") + ":1/255" + size_word(value_of(file, "imgsz")),
      "metadata stride and names (YOLO)"};
}

/// The axis that the model calls DATA_CHANNEL says the layout, where it is one of the two.
std::string layout_word(const OnnxPort& port) {
  const std::size_t rank = port.axis_denotations.size();
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (port.axis_denotations[axis] != "DATA_CHANNEL") continue;
    if (axis + 1 == rank) return ":channels-last";
    if (axis + 3 == rank) return ":channels-first";
  }
  return {};
}

}  // namespace

std::optional<FoundRule> rule_in_metadata(const OnnxFile& file, const OnnxPort& port, InputShape shape) {
  const std::string own_key = std::string(kOwnPrefix) + port.name;
  if (const auto own = file.metadata.find(own_key); own != file.metadata.end())
    return FoundRule{own->second, "metadata " + own_key};
  if (!is_meant(file, port, shape)) return std::nullopt;
  auto found = standard_rule(file);
  if (!found) found = yolo_rule(file);
  const std::string layout = layout_word(port);
  if (!found && !layout.empty()) found = FoundRule{"image", "axis denotations"};
  if (found) found->text += layout;
  return found;
}

std::string unheeded_metadata(const OnnxFile& file) {
  if (standard_value(file, kGamma) == "linear")
    return "metadata Image.ColorSpaceGamma says Linear: pictures are taken as they are stored, which is sRGB";
  return {};
}

}  // namespace noren::worker
