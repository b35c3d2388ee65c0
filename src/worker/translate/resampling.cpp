// Interpolate and ONNXResize: both become weighted taps along each resized axis (operator noren::ResizeTaps).
// A shape is known while translating, so the places and weights are computed here, once, in float as the
// reference does.
#include <algorithm>
#include <cmath>
#include <functional>

#include "worker/translate/families.h"

namespace noren::worker {
namespace {

/// The taps of one axis, output position major.
struct Taps {
  std::vector<std::int64_t> index;
  std::vector<float> weight;
};

constexpr std::int64_t kOutside = -1;

std::int64_t clamp_index(float position, std::int64_t length) {
  return static_cast<std::int64_t>(std::clamp(position, 0.0F, static_cast<float>(length - 1)));
}

LayerOutputs resize(Layer& layer, const std::vector<Taps>& axes, std::int64_t taps_count,
                    float extrapolation) {
  const Value& x = layer.input(0);
  Shape shape = x.shape;
  Attributes attributes = {{"taps", taps_count},
                           {"axes", static_cast<std::int64_t>(axes.size())},
                           {"extrapolation_value", extrapolation}};
  static constexpr std::string_view kIndexNames[] = {"index_0", "index_1", "index_2"};
  static constexpr std::string_view kWeightNames[] = {"weight_0", "weight_1", "weight_2"};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    shape[shape.size() - axes.size() + i] = static_cast<std::int64_t>(axes[i].index.size()) / taps_count;
    attributes.emplace_back(kIndexNames[i], axes[i].index);
    attributes.emplace_back(kWeightNames[i], axes[i].weight);
  }
  const auto count = checked_element_count(shape);
  if (!count.ok()) return layer.refuse(count.error().text);
  return std::vector{layer.graph.node("noren::ResizeTaps", {x}, shape, attributes)};
}

Status check_length(const Layer& layer, std::int64_t length) {
  if (length >= 1 && length <= (1 << 20)) return Ok{};
  return layer.refuse("an output length of " + std::to_string(length) + " is not possible");
}

struct InterpolateRule {
  bool linear = true, align_corners = true, half_pixel = false, half_pixel_for_nearest = false;
};

/// scale = 0 for one output position, else (in-1)/(out-1) with align_corners, else in/out; the source of
/// position i is scale i, with half_pixel max(0, scale (i + 0.5) - 0.5); nearest takes its floor.
Taps interpolate_taps(std::int64_t in, std::int64_t out, const InterpolateRule& rule) {
  const bool by_centre = !rule.linear && rule.half_pixel_for_nearest;
  const auto in_length = static_cast<float>(in), out_length = static_cast<float>(out);
  float scale = 0;
  if (by_centre)
    scale = in_length / out_length;
  else if (out > 1)
    scale = rule.align_corners ? (in_length - 1) / (out_length - 1) : in_length / out_length;
  Taps taps;
  for (std::int64_t i = 0; i < out; ++i) {
    const auto position = static_cast<float>(i);
    float source = scale * position;
    if (by_centre)
      source = scale * (position + 0.5F);
    else if (rule.half_pixel)
      source = std::max(0.0F, scale * (position + 0.5F) - 0.5F);
    const std::int64_t low = clamp_index(std::floor(source), in);
    const float weight = source - static_cast<float>(low);
    taps.index.push_back(low);
    taps.weight.push_back(rule.linear ? 1.0F - weight : 1.0F);
    if (!rule.linear) continue;
    taps.index.push_back(std::min(low + 1, in - 1));
    taps.weight.push_back(weight);
  }
  return taps;
}

LayerOutputs interpolate(Layer& layer) {
  const Arguments& arguments = layer.arguments();
  if (arguments.boolean("channel_last"))
    return layer.not_supported("channel_last is for GPUs in the reference implementation too");
  const auto& size = arguments.integers("output_size");
  const std::string& mode = arguments.text("mode");
  const Value& x = layer.input(0);
  if (size.empty() || size.size() > 3 || size.size() > x.shape.size())
    return layer.refuse("output_size must have 1 to 3 numbers");
  if (mode != "linear" && mode != "nearest")
    return layer.refuse("mode '" + mode + "' is not linear or nearest");
  const InterpolateRule rule{mode == "linear", arguments.boolean("align_corners"),
                             arguments.boolean("half_pixel"), arguments.boolean("half_pixel_for_nn")};
  if (rule.align_corners && rule.half_pixel)
    return layer.refuse("align_corners and half_pixel exclude each other");
  std::vector<Taps> axes;
  for (std::size_t i = 0; i < size.size(); ++i) {
    TRY(check_length(layer, size[i]));
    axes.push_back(interpolate_taps(x.shape[x.shape.size() - size.size() + i], size[i], rule));
  }
  return resize(layer, axes, rule.linear ? 2 : 1, 0.0F);
}

/// One axis of an ONNXResize. The formulas are those of ONNX's Resize.
struct ResizeAxis {
  std::int64_t in = 0, out = 0;
  float scale = 1, roi_start = 0, roi_end = 1;
};

using SourceOf = float (*)(const ResizeAxis& axis, float position);
struct CoordinateMode {
  std::string_view name;
  SourceOf source;
};
constexpr CoordinateMode kCoordinateModes[] = {
    {"half_pixel", [](const ResizeAxis& a, float x) { return (x + 0.5F) / a.scale - 0.5F; }},
    {"pytorch_half_pixel",
     [](const ResizeAxis& a, float x) { return a.out > 1 ? (x + 0.5F) / a.scale - 0.5F : 0.0F; }},
    {"align_corners",
     [](const ResizeAxis& a, float x) {
       return a.out == 1 ? 0.0F : x * (static_cast<float>(a.in) - 1) / (static_cast<float>(a.out) - 1);
     }},
    {"asymmetric", [](const ResizeAxis& a, float x) { return x / a.scale; }},
    {"tf_half_pixel_for_nn", [](const ResizeAxis& a, float x) { return (x + 0.5F) / a.scale; }},
    {"tf_crop_and_resize",
     [](const ResizeAxis& a, float x) {
       const float last = static_cast<float>(a.in) - 1;
       if (a.out <= 1) return 0.5F * (a.roi_start + a.roi_end) * last;
       return a.roi_start * last + x * (a.roi_end - a.roi_start) * last / (static_cast<float>(a.out) - 1);
     }},
};

using RoundNearest = float (*)(float position);
struct NearestMode {
  std::string_view name;
  RoundNearest round;
};
constexpr NearestMode kNearestModes[] = {
    {"round_prefer_floor", [](float x) { return x == std::floor(x) + 0.5F ? std::floor(x) : std::round(x); }},
    {"round_prefer_ceil", [](float x) { return std::round(x); }},
    {"floor", [](float x) { return std::floor(x); }},
    {"ceil", [](float x) { return std::ceil(x); }},
};

template <typename Table>
auto find_mode(const Table& table, std::string_view name) {
  return std::find_if(std::begin(table), std::end(table), [&](const auto& row) { return row.name == name; });
}

struct ResizeRule {
  SourceOf source = nullptr;
  RoundNearest round = nullptr;
  std::string mode;
  float cubic_a = -0.75F;
  bool exclude_outside = false;
  bool extrapolates = false;
};

void add_linear(Taps& taps, float source, std::int64_t in) {
  const std::int64_t low = clamp_index(std::floor(source), in);
  const float weight = source - static_cast<float>(low);
  taps.index.insert(taps.index.end(), {low, clamp_index(std::floor(source) + 1, in)});
  taps.weight.insert(taps.weight.end(), {1 - weight, weight});
}

/// Cubic convolution with the coefficient a (R. Keys, 1981).
void add_cubic(Taps& taps, float source, std::int64_t in, const ResizeRule& rule) {
  const float a = rule.cubic_a, base = std::floor(source), t = source - base;
  const auto near = [a](float x) { return (a + 2) * x * x * x - (a + 3) * x * x + 1; };
  const auto far = [a](float x) { return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a; };
  float weights[4] = {far(1 + t), near(t), near(1 - t), far(2 - t)};
  if (rule.exclude_outside) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) {
      const float position = base - 1 + static_cast<float>(i);
      if (position < 0 || position >= static_cast<float>(in)) weights[i] = 0;
      sum += weights[i];
    }
    for (float& weight : weights) weight /= sum;
  }
  for (int i = 0; i < 4; ++i) {
    taps.index.push_back(clamp_index(base - 1 + static_cast<float>(i), in));
    taps.weight.push_back(weights[i]);
  }
}

Taps resize_taps(const ResizeAxis& axis, const ResizeRule& rule) {
  Taps taps;
  const std::size_t count = rule.mode == "nearest" ? 1 : rule.mode == "linear" ? 2 : 4;
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const auto position = static_cast<float>(i);
    const float source = axis.scale == 1.0F ? position : rule.source(axis, position);
    if (rule.extrapolates && (source < 0 || source > static_cast<float>(axis.in - 1))) {
      taps.index.insert(taps.index.end(), count, kOutside);
      taps.weight.insert(taps.weight.end(), count, 0.0F);
    } else if (rule.mode == "nearest") {
      taps.index.push_back(clamp_index(rule.round(source), axis.in));
      taps.weight.push_back(1.0F);
    } else if (rule.mode == "linear") {
      add_linear(taps, source, axis.in);
    } else {
      add_cubic(taps, source, axis.in, rule);
    }
  }
  return taps;
}

Result<ResizeRule> resize_rule(const Layer& layer) {
  const Arguments& arguments = layer.arguments();
  const std::string& coordinates = arguments.text("coordinate_transformation_mode");
  const std::string& nearest = arguments.text("nearest_mode");
  const auto* coordinate_mode = find_mode(kCoordinateModes, coordinates);
  const auto* nearest_mode = find_mode(kNearestModes, nearest);
  if (coordinate_mode == std::end(kCoordinateModes))
    return layer.refuse("coordinate_transformation_mode '" + coordinates + "' is not known");
  if (nearest_mode == std::end(kNearestModes))
    return layer.refuse("nearest_mode '" + nearest + "' is not known");
  ResizeRule rule{coordinate_mode->source,
                  nearest_mode->round,
                  arguments.text("mode"),
                  static_cast<float>(arguments.real("cubic_coeff_a")),
                  arguments.integer("exclude_outside") != 0,
                  coordinates == "tf_crop_and_resize"};
  if (rule.mode != "nearest" && rule.mode != "linear" && rule.mode != "cubic")
    return layer.refuse("mode '" + rule.mode + "' is not nearest, linear or cubic");
  return rule;
}

/// Output lengths and scales of all axes, from either argument.
Result<std::vector<ResizeAxis>> resize_axes(const Layer& layer) {
  const auto& sizes = layer.arguments().integers("sizes");
  const auto& scales = layer.arguments().reals("scales");
  const auto& roi = layer.arguments().reals("roi");
  const Shape& shape = layer.input(0).shape;
  if (sizes.empty() == scales.empty()) return layer.refuse("one of sizes and scales must be given");
  if ((sizes.empty() ? scales.size() : sizes.size()) != shape.size())
    return layer.refuse("sizes or scales must have one number for each axis");
  std::vector<ResizeAxis> axes(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    ResizeAxis& axis = axes[i];
    const auto length = static_cast<float>(shape[i]);
    axis.in = shape[i];
    axis.scale = sizes.empty() ? static_cast<float>(scales[i]) : static_cast<float>(sizes[i]) / length;
    const float out = sizes.empty() ? std::floor(length * axis.scale) : static_cast<float>(sizes[i]);
    if (!(out >= 1 && out <= (1 << 20))) return layer.refuse("an output length is not possible");
    axis.out = static_cast<std::int64_t>(out);
    if (roi.size() == 2 * shape.size()) {
      axis.roi_start = static_cast<float>(roi[i]);
      axis.roi_end = static_cast<float>(roi[shape.size() + i]);
    }
  }
  return axes;
}

LayerOutputs onnx_resize(Layer& layer) {
  ASSIGN_OR_RETURN(const ResizeRule rule, resize_rule(layer));
  ASSIGN_OR_RETURN(const std::vector<ResizeAxis> axes, resize_axes(layer));
  if (rule.extrapolates && layer.arguments().reals("roi").size() != 2 * axes.size())
    return layer.refuse("roi must have two numbers for each axis");
  std::size_t first = 0;
  while (first < axes.size() && axes[first].scale == 1.0F) ++first;
  if (first == axes.size()) return layer.refuse("no axis changes its length");
  if (axes.size() - first > 3) return layer.refuse("at most the last 3 axes can change their length");
  std::vector<Taps> taps;
  for (std::size_t i = first; i < axes.size(); ++i) taps.push_back(resize_taps(axes[i], rule));
  const std::int64_t taps_count = rule.mode == "nearest" ? 1 : rule.mode == "linear" ? 2 : 4;
  return resize(layer, taps, taps_count, static_cast<float>(layer.arguments().real("extrapolation_value")));
}

bool last_axes_only(const Layer& layer) {
  if (layer.function.type == "Interpolate")
    return layer.arguments().integers("output_size").size() < layer.input(0).shape.size();
  const auto& sizes = layer.arguments().integers("sizes");
  const auto& scales = layer.arguments().reals("scales");
  return sizes.empty() ? !scales.empty() && scales[0] == 1.0 : sizes[0] == layer.input(0).shape[0];
}

constexpr LayerDefinition kLayers[] = {
    {"Interpolate", 1, 1, Rows::kByArguments, interpolate, Randomness::kNone, last_axes_only},
    {"ONNXResize", 1, 1, Rows::kByArguments, onnx_resize, Randomness::kNone, last_axes_only},
};

}  // namespace

LayerFamily interpolation_layers() { return kLayers; }

}  // namespace noren::worker
