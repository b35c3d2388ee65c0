#include "worker/import/onnx_import.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "worker/import/image_metadata.h"
#include "worker/import/input_rule.h"
#include "worker/import/port_description.h"

namespace noren::worker {
namespace {

/// The exporter of the .nnp tools. What it writes was trained by the console, on pictures times 1/255.
constexpr std::string_view kConsoleExporter = "nnabla-onnx";

// How exporters name an axis along which one sample is long.
constexpr std::array<std::string_view, 7> kLengthWords = {"seq",   "len",  "time", "frame",
                                                          "token", "step", "word"};
constexpr std::array<std::string_view, 3> kLengthNames = {"t", "l", "s"};

bool is_length_name(std::string name) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  if (name.find("batch") != std::string::npos) return false;
  return std::find(kLengthNames.begin(), kLengthNames.end(), name) != kLengthNames.end() ||
         std::any_of(kLengthWords.begin(), kLengthWords.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

/// A free first axis is the batch, unless its name says that it is a length: by its words, or because
/// another input has it as a later axis ([time, batch, 3] and [batch]).
bool has_batch_axis(const OnnxFile& file, const OnnxPort& port) {
  if (port.shape.empty() || port.shape[0] != -1) return false;
  const std::string& name = port.axis_names[0];
  if (name.empty()) return true;
  if (is_length_name(name)) return false;
  return std::none_of(file.inputs.begin(), file.inputs.end(), [&](const OnnxPort& other) {
    return other.axis_names.size() > 1 &&
           std::find(other.axis_names.begin() + 1, other.axis_names.end(), name) != other.axis_names.end();
  });
}

Result<InputSignature> input_of(const OnnxFile& file, const OnnxPort& port) {
  if (!port.container.empty())
    return unsupported("input '" + port.name + "' is of the type " + port.container +
                       ", which a request can't carry: it carries numbers, texts, pictures and sounds");
  InputSignature input{.name = port.name,
                       .variable = port.name,
                       .graph_name = port.name,
                       .type = port.type,
                       .shape = port.shape,
                       .has_shape = port.has_shape};
  input.has_batch_axis = has_batch_axis(file, port);
  if (input.has_batch_axis) input.shape[0] = 1;
  const Shape sample = sample_shape(input);
  input.image.layout = image_layout_of(sample);
  input.sound.layout = sound_layout_of(sample);
  // Any other plain ONNX file does not say how it was trained: without a rule its pictures stay 0..255.
  input.image.normalize = file.producer.starts_with(kConsoleExporter);
  return input;
}

InputShape shape_of(const InputSignature& input) {
  const Shape sample = sample_shape(input);
  const std::int64_t channels = image_channels_of(sample, input.image.layout);
  const bool is_pixel_type = input.type == ElementType::kFloat32 || input.type == ElementType::kFloat16 ||
                             input.type == ElementType::kFloat64 || input.type == ElementType::kBfloat16 ||
                             input.type == ElementType::kUint8;
  const bool has_channels = channels == -1 || channels == 1 || channels == 3 || channels == 4;
  return is_pixel_type && sample.size() >= 3 && has_channels ? InputShape::kOfPicture : InputShape::kOther;
}

/// Rules that the model itself carries. One that does not fit its input is said, not obeyed; ours must fit.
Status apply_metadata(const OnnxFile& file, const OnnxPort& port, InputSignature& input,
                      OnnxSignature& result) {
  const auto found = rule_in_metadata(file, port, shape_of(input));
  if (!found) return Ok{};
  InputSignature changed = input;
  Status applied = apply_input_rule(port.name + "=" + found->text, found->text, changed);
  if (!applied.ok()) {
    if (file.metadata.contains("noren.input." + port.name)) return applied;
    result.warnings.push_back(found->source + " is not heeded: " + applied.error().text);
    return Ok{};
  }
  input = std::move(changed);
  result.rule_sources[port.name] = found->source;
  return Ok{};
}

Status apply_rules(const std::vector<std::string>& rules, OnnxSignature& result) {
  std::set<std::string> named;
  auto& inputs = result.executor.inputs;
  for (const std::string& rule : rules) {
    const std::size_t equals = rule.find('=');
    const std::string name = rule.substr(0, equals);
    const auto found = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const InputSignature& input) { return input.name == name; });
    if (equals == std::string::npos)
      return invalid("input rule '" + rule + "': it is written NAME=RULE, like x=image:rgb:1/255");
    if (found == inputs.end())
      return invalid("input rule '" + rule + "': the model has no input of this name");
    if (!named.insert(name).second)
      return invalid("input rule '" + rule + "': this input has a rule already");
    const Shape sample = sample_shape(*found);
    found->image = {.layout = image_layout_of(sample), .normalize = false};
    found->sound = {.layout = sound_layout_of(sample)};
    const std::string_view text = std::string_view(rule).substr(equals + 1);
    TRY(apply_input_rule(rule, text, *found));
    const bool is_sound = text.starts_with("audio");
    if ((is_sound ? sound_text(*found) : picture_text(*found)).empty())
      return invalid("input rule '" + rule + "': no " + (is_sound ? "sound" : "picture") +
                     " becomes an input of this shape");
    result.rule_sources[name] = "--input";
  }
  return Ok{};
}

OutputSignature output_of(const OnnxPort& port) {
  OutputSignature output{.name = port.name,
                         .variable = port.name,
                         .graph_name = port.name,
                         .type = port.type,
                         .shape = port.shape};
  output.has_batch_axis = port.container.empty() && !port.shape.empty() && port.shape[0] == -1;
  return output;
}

}  // namespace

Result<OnnxSignature> signature_of_onnx(const OnnxFile& file, const std::vector<std::string>& input_rules) {
  OnnxSignature result;
  result.executor.name = "Executor";
  for (const OnnxPort& port : file.inputs) {
    ASSIGN_OR_RETURN(InputSignature input, input_of(file, port));
    TRY(apply_metadata(file, port, input, result));
    result.executor.inputs.push_back(std::move(input));
  }
  TRY(apply_rules(input_rules, result));
  for (const OnnxPort& port : file.outputs) result.executor.outputs.push_back(output_of(port));
  if (result.executor.outputs.empty()) return invalid("the model has no output");
  if (std::string warning = unheeded_metadata(file); !warning.empty())
    result.warnings.push_back(std::move(warning));
  return result;
}

}  // namespace noren::worker
