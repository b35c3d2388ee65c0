// Layers of special use: detection, correlation, sums by equation, and those that pass their input on.
#include <algorithm>
#include <cctype>
#include <map>

#include "worker/translate/families.h"

namespace noren::worker {
namespace {

LayerOutputs pass_on(Layer& layer) { return std::vector{layer.input(0)}; }

/// eps x / sqrt(sum x^2 + 1e-8) over each sample (the axes from base_axis on).
LayerOutputs vat_noise(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  if (x.shape != layer.input(1).shape) return layer.refuse("its inputs must be alike");
  ASSIGN_OR_RETURN(const std::int64_t base_axis,
                   resolve_axis(layer, layer.arguments().integer("base_axis"), x.rank()));
  if (base_axis == 0) return layer.refuse("base_axis must be 1 or more");
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = base_axis; axis < x.rank(); ++axis) axes.push_back(axis);
  const Value squares = graph.reduce("ReduceSumSquare", x, axes, GraphBuilder::KeepAxes::kYes);
  const Value length = graph.unary("Sqrt", graph.add(squares, graph.scalar(1.0e-8F)));
  const Value scale = graph.divide(graph.scalar(static_cast<float>(layer.arguments().real("eps"))), length);
  return std::vector{graph.multiply(x, scale)};
}

LayerOutputs nms_detection_2d(Layer& layer) {
  const Value& x = layer.input(0);
  if (x.rank() != 3 || x.shape[2] <= 5) return layer.refuse("the input must be (batch, boxes, 5 + classes)");
  const Arguments& arguments = layer.arguments();
  return std::vector{layer.graph.node("noren::NmsDetection2d", {x}, x.shape,
                                      {{"thresh", static_cast<float>(arguments.real("thresh"))},
                                       {"nms", static_cast<float>(arguments.real("nms"))},
                                       {"nms_per_class", arguments.boolean("nms_per_class") ? 1 : 0}})};
}

Result<std::vector<std::int64_t>> numbers(const Layer& layer, std::string_view name, std::size_t count,
                                          std::int64_t least) {
  const auto& values = layer.arguments().integers(name);
  if (values.size() != count)
    return layer.refuse(std::string(name) + " must have " + std::to_string(count) + " numbers");
  for (const std::int64_t value : values)
    if (value < least || value > 1'000'000) return layer.refuse(std::string(name) + " is out of range");
  return values;
}

LayerOutputs patch_correlation(Layer& layer) {
  const Value& x = layer.input(0);
  if (x.rank() != 4 || x.shape != layer.input(1).shape)
    return layer.refuse("its inputs must be alike, with 4 axes");
  ASSIGN_OR_RETURN(const auto patch, numbers(layer, "patch", 2, 1));
  ASSIGN_OR_RETURN(const auto shift, numbers(layer, "shift", 2, 0));
  ASSIGN_OR_RETURN(const auto patch_step, numbers(layer, "patch_step", 2, 1));
  ASSIGN_OR_RETURN(const auto shift_step, numbers(layer, "shift_step", 2, 1));
  ASSIGN_OR_RETURN(const auto padding, numbers(layer, "padding", 4, 0));
  const std::int64_t rows = x.shape[1] + padding[0] + padding[1] - patch[0];
  const std::int64_t columns = x.shape[2] + padding[2] + padding[3] - patch[1];
  if (rows < 0 || columns < 0) return layer.refuse("the patch is larger than the padded map");
  const Shape shape = {x.shape[0], rows / patch_step[0] + 1, columns / patch_step[1] + 1,
                       2 * shift[0] / shift_step[0] + 1, 2 * shift[1] / shift_step[1] + 1};
  return std::vector{layer.graph.node("noren::PatchCorrelation", {x, layer.input(1)}, shape,
                                      {{"patch", patch},
                                       {"shift", shift},
                                       {"patch_step", patch_step},
                                       {"shift_step", shift_step},
                                       {"padding", padding}})};
}

/// Ones on the k-th diagonal of a matrix as large as the input.
LayerOutputs eye_like(Layer& layer) {
  const Value& x = layer.input(0);
  if (x.rank() != 2) return layer.refuse("the input must be a matrix");
  const std::int64_t k = layer.arguments().integer("k");
  std::vector<float> values(static_cast<std::size_t>(x.count()), 0.0F);
  for (std::int64_t row = 0; row < x.shape[0]; ++row) {
    const std::int64_t column = k < -x.shape[0] || k > x.shape[1] ? -1 : row + k;
    if (column >= 0 && column < x.shape[1])
      values[static_cast<std::size_t>(row * x.shape[1] + column)] = 1.0F;
  }
  return std::vector{layer.graph.floats(x.shape, std::move(values))};
}

/// On floats the reference takes C's fmod, the sign of the dividend, whatever its argument says.
LayerOutputs mod2(Layer& layer) {
  const Value& a = layer.input(0);
  const Value& b = layer.input(1);
  const auto shape = broadcast_shapes(a.shape, b.shape);
  if (!shape.ok() || a.rank() != b.rank()) return layer.refuse("its inputs don't fit together");
  return std::vector{layer.graph.node("Mod", {a, b}, *shape, {{"fmod", 1}})};
}

/// The labels of one term: letters, and at most one "..." written as '.'.
Result<std::string> labels_of(const Layer& layer, const std::string& term) {
  std::string labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term[i] == ' ') continue;
    if (term.compare(i, 3, "...") == 0 && labels.find('.') == std::string::npos) {
      labels += '.';
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(term[i])) != 0) {
      labels += term[i];
    } else {
      return layer.refuse("its equation has the term '" + term + "'");
    }
  }
  return labels;
}

/// The labels of the output. The reference closes up the spaces of an equation without shortening it, so its
/// last letters stand there once more, as many as there were spaces: those that are new become axes.
Result<std::string> output_labels(const Layer& layer, const std::string& equation, std::size_t arrow) {
  ASSIGN_OR_RETURN(std::string labels, labels_of(layer, equation.substr(arrow + 2)));
  const auto spaces_count = static_cast<std::size_t>(std::count(equation.begin(), equation.end(), ' '));
  for (const char letter : equation.substr(equation.size() - spaces_count))
    if (std::isalpha(static_cast<unsigned char>(letter)) != 0 && labels.find(letter) == std::string::npos)
      labels += letter;
  return labels;
}

/// Lengths of labels and of the axes behind "..." (right aligned), gathered from the inputs.
struct EinsumLengths {
  std::map<char, std::int64_t> of_label;
  Shape ellipsis;
};

Status gather_lengths(const Layer& layer, const std::string& labels, const Value& input,
                      EinsumLengths& lengths) {
  const bool has_ellipsis = labels.find('.') != std::string::npos;
  const std::int64_t covered =
      input.rank() - static_cast<std::int64_t>(labels.size()) + (has_ellipsis ? 1 : 0);
  if (covered < 0 || (!has_ellipsis && covered != 0))
    return layer.refuse("its equation does not fit an input of shape " + to_string(input.shape));
  std::size_t axis = 0;
  for (const char label : labels) {
    if (label == '.') {
      const Shape part(input.shape.begin() + static_cast<std::ptrdiff_t>(axis),
                       input.shape.begin() + static_cast<std::ptrdiff_t>(axis) + covered);
      ASSIGN_OR_RETURN(lengths.ellipsis, broadcast_shapes(lengths.ellipsis, part));
      axis += static_cast<std::size_t>(covered);
      continue;
    }
    const std::int64_t length = input.shape[axis++];
    std::int64_t& known = lengths.of_label.try_emplace(label, length).first->second;
    if (known != length && known != 1 && length != 1)
      return layer.refuse("label '" + std::string(1, label) + "' stands for " + std::to_string(known) +
                          " and " + std::to_string(length));
    known = std::max(known, length);
  }
  return Ok{};
}

LayerOutputs einsum(Layer& layer) {
  const std::string& equation = layer.arguments().text("equation");
  const std::size_t arrow = equation.find("->");
  std::vector<std::string> terms;
  const std::string left = equation.substr(0, arrow);
  for (std::size_t begin = 0; begin <= left.size();) {
    const std::size_t end = std::min(left.find(',', begin), left.size());
    ASSIGN_OR_RETURN(std::string labels, labels_of(layer, left.substr(begin, end - begin)));
    terms.push_back(std::move(labels));
    begin = end + 1;
  }
  if (terms.size() != layer.inputs.size())
    return layer.refuse("its equation is for another number of inputs");
  EinsumLengths lengths;
  for (std::size_t i = 0; i < terms.size(); ++i)
    TRY(gather_lengths(layer, terms[i], layer.input(i), lengths));
  std::string output;
  if (arrow != std::string::npos) {
    ASSIGN_OR_RETURN(output, output_labels(layer, equation, arrow));
  } else {  // as numpy: what appears once, in alphabetical order, behind the dots
    if (!lengths.ellipsis.empty()) output += '.';
    std::string all;
    for (const std::string& term : terms) all += term;
    for (const auto& [label, length] : lengths.of_label)
      if (std::count(all.begin(), all.end(), label) == 1) output += label;
  }
  Shape shape;
  for (const char label : output) {
    if (label == '.') {
      shape.insert(shape.end(), lengths.ellipsis.begin(), lengths.ellipsis.end());
    } else if (lengths.of_label.contains(label)) {
      shape.push_back(lengths.of_label[label]);
    } else {
      return layer.refuse("its equation gives a label that no input has");
    }
  }
  std::string written;
  for (const std::string& term : terms) written += (written.empty() ? "" : ",") + term;
  written += "->" + output;
  for (std::size_t dot = written.find('.'); dot != std::string::npos; dot = written.find('.', dot + 3))
    written.replace(dot, 1, "...");
  return std::vector{layer.graph.node("Einsum", layer.inputs, shape, {{"equation", written}})};
}

bool base_axis_is_behind_batch(const Layer& layer) { return layer.arguments().integer("base_axis") != 0; }

constexpr LayerDefinition kLayers[] = {
    {"Unlink", 1, 1, Rows::kIndependent, pass_on},
    {"TopKGrad", 1, 1, Rows::kIndependent, pass_on},
    {"VATNoise", 2, 2, Rows::kByArguments, vat_noise, Randomness::kNone, base_axis_is_behind_batch},
    {"NmsDetection2d", 1, 1, Rows::kIndependent, nms_detection_2d},
    {"PatchCorrelation", 2, 2, Rows::kIndependent, patch_correlation},
    {"EyeLike", 1, 1, Rows::kDependent, eye_like},
    {"Mod2", 2, 2, Rows::kIndependent, mod2},
    {"Einsum", 1, kAnyInputs, Rows::kDependent, einsum},
};

}  // namespace

LayerFamily special_layers() { return kLayers; }

}  // namespace noren::worker
