#include "worker/import/onnx_import.h"

#include <algorithm>
#include <charconv>

namespace noren::worker {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

/// "0.5", "1/255".
Result<float> number(const std::string& text, const std::string& rule) {
  double value = 1;
  const std::vector<std::string> parts = split(text, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    double part = 0;
    const auto [end, error] = std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), part);
    if (error != std::errc{} || end != parts[i].data() + parts[i].size() || parts.size() > 2 ||
        (i == 1 && part == 0))
      return invalid("input rule '" + rule + "': '" + text + "' is not a number");
    value = i == 0 ? part : value / part;
  }
  return static_cast<float>(value);
}

Result<std::vector<float>> numbers(const std::string& text, const std::string& rule) {
  std::vector<float> values;
  for (const std::string& part : split(text, ',')) {
    ASSIGN_OR_RETURN(const float value, number(part, rule));
    values.push_back(value);
  }
  if (values.size() > 4) return invalid("input rule '" + rule + "': at most 4 channels");
  return values;
}

/// scale and offset of (value * factor - mean) / deviation, for each channel.
void set_scale(ImageRule& image, float factor, std::vector<float> mean, std::vector<float> deviation) {
  const std::size_t channels = std::max({mean.size(), deviation.size(), std::size_t{1}});
  const auto channel = [](const std::vector<float>& list, std::size_t i, float fallback) {
    return list.empty() ? fallback : list[std::min(i, list.size() - 1)];
  };
  for (std::size_t i = 0; i < channels; ++i) {
    const float spread = channel(deviation, i, 1.0F);
    image.scale.push_back(factor / spread);
    image.offset.push_back(-channel(mean, i, 0.0F) / spread);
  }
}

/// "image[:rgb|bgr|gray][:FACTOR][:mean=…][:std=…]".
Status apply_rule(const std::string& rule, const std::string& text, InputSignature& input) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts[0] != "image") return invalid("input rule '" + rule + "': 'image' is expected behind the =");
  float factor = 1;
  std::vector<float> mean, deviation;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (part == "bgr") {
      input.image.reverse_channels = true;
    } else if (part.starts_with("mean=")) {
      ASSIGN_OR_RETURN(mean, numbers(part.substr(5), rule));
    } else if (part.starts_with("std=")) {
      ASSIGN_OR_RETURN(deviation, numbers(part.substr(4), rule));
      if (std::count(deviation.begin(), deviation.end(), 0.0F) > 0)
        return invalid("input rule '" + rule + "': std is 0");
    } else if (part != "rgb" && part != "gray") {
      ASSIGN_OR_RETURN(factor, number(part, rule));
    }
  }
  set_scale(input.image, factor, std::move(mean), std::move(deviation));
  return Ok{};
}

/// Channels last where the last axis is a channel count and the one that would be channels-first is not.
ImageLayout layout_of(const Shape& shape) {
  const auto channels = [](std::int64_t dimension) {
    return dimension == 1 || dimension == 3 || dimension == 4;
  };
  if (shape.size() < 3) return ImageLayout::kChannelsFirst;
  const bool first = channels(shape[shape.size() - 3]);
  return !first && channels(shape.back()) ? ImageLayout::kChannelsLast : ImageLayout::kChannelsFirst;
}

/// The exporter of the .nnp tools. What it writes was trained by the console, on pictures times 1/255.
constexpr std::string_view kConsoleExporter = "nnabla-onnx";

Result<InputSignature> input_of(const OnnxPort& port, const std::string& producer) {
  if (!port.container.empty())
    return unsupported("input '" + port.name + "' is a " + port.container + ", not a tensor");
  if (!port.has_shape) return unsupported("input '" + port.name + "' has no shape");
  InputSignature input{.name = port.name,
                       .variable = port.name,
                       .graph_name = port.name,
                       .type = port.type,
                       .shape = port.shape};
  input.has_batch_axis = !port.shape.empty() && port.shape[0] == -1;
  if (input.has_batch_axis) input.shape[0] = 1;
  input.image.layout = layout_of(port.shape);
  // Any other plain ONNX file does not say how it was trained: without a rule its pictures stay 0..255.
  input.image.normalize = producer.starts_with(kConsoleExporter);
  return input;
}

}  // namespace

Result<ExecutorSignature> signature_of_onnx(const OnnxFile& file,
                                            const std::vector<std::string>& input_rules) {
  ExecutorSignature executor;
  executor.name = "Executor";
  for (const OnnxPort& port : file.inputs) {
    ASSIGN_OR_RETURN(InputSignature input, input_of(port, file.producer));
    const auto stored = file.metadata.find("noren.input." + port.name);
    if (stored != file.metadata.end())
      TRY(apply_rule(port.name + "=" + stored->second, stored->second, input));
    executor.inputs.push_back(std::move(input));
  }
  for (const std::string& rule : input_rules) {
    const std::size_t equals = rule.find('=');
    const auto found =
        std::find_if(executor.inputs.begin(), executor.inputs.end(),
                     [&](const InputSignature& input) { return input.name == rule.substr(0, equals); });
    if (equals == std::string::npos || found == executor.inputs.end())
      return invalid("input rule '" + rule + "': the model has no input of this name");
    found->image = {.layout = found->image.layout, .normalize = false};
    TRY(apply_rule(rule, rule.substr(equals + 1), *found));
  }
  for (const OnnxPort& port : file.outputs) {
    OutputSignature output{.name = port.name,
                           .variable = port.name,
                           .graph_name = port.name,
                           .type = port.type,
                           .shape = port.shape};
    output.has_batch_axis = port.container.empty() && !port.shape.empty() && port.shape[0] == -1;
    executor.outputs.push_back(std::move(output));
  }
  if (executor.outputs.empty()) return invalid("the model has no output");
  return executor;
}

}  // namespace noren::worker
