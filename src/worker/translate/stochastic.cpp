// Layers that draw at random. Each request draws afresh; a seed other than -1 gives the sequence of that
// seed.
#include <algorithm>

#include "worker/translate/families.h"

namespace noren::worker {
namespace {

float real(const Layer& layer, std::string_view name) {
  return static_cast<float>(layer.arguments().real(name));
}

/// A layer without inputs: an operator that fills the shape of the argument.
LayerOutputs fill(Layer& layer, std::string_view op, Attributes attributes) {
  const Shape& shape = layer.arguments().shape("shape");
  const auto count = checked_element_count(shape);
  if (!count.ok()) return layer.refuse(count.error().text);
  attributes.emplace_back("shape", shape);
  attributes.emplace_back("seed", layer.arguments().integer("seed"));
  return std::vector{layer.graph.node(op, {}, shape, attributes)};
}

LayerOutputs rand(Layer& layer) {
  if (real(layer, "low") >= real(layer, "high")) return layer.refuse("low must be less than high");
  return fill(layer, "noren::RandomUniform", {{"low", real(layer, "low")}, {"high", real(layer, "high")}});
}

LayerOutputs randint(Layer& layer) {
  const std::int64_t low = layer.arguments().integer("low"), high = layer.arguments().integer("high");
  if (low >= high) return layer.refuse("low must be less than high");
  return fill(layer, "noren::RandomInteger", {{"low", low}, {"high", high}});
}

LayerOutputs randn(Layer& layer) {
  if (!(real(layer, "sigma") > 0)) return layer.refuse("sigma must be positive");
  return fill(layer, "noren::RandomNormal", {{"mu", real(layer, "mu")}, {"sigma", real(layer, "sigma")}});
}

LayerOutputs rand_binomial(Layer& layer) {
  const std::int64_t n = layer.arguments().integer("n");
  const float p = real(layer, "p");
  if (n < 0 || !(p > 0 && p < 1)) return layer.refuse("n must not be negative, and p lies between 0 and 1");
  return fill(layer, "noren::RandomBinomial", {{"n", n}, {"p", p}});
}

LayerOutputs rand_beta(Layer& layer) {
  if (!(real(layer, "alpha") > 0 && real(layer, "beta") > 0))
    return layer.refuse("alpha and beta must be positive");
  return fill(layer, "noren::RandomBeta", {{"alpha", real(layer, "alpha")}, {"beta", real(layer, "beta")}});
}

LayerOutputs rand_gamma(Layer& layer) {
  if (!(real(layer, "k") > 0 && real(layer, "theta") > 0))
    return layer.refuse("k and theta must be positive");
  return fill(layer, "noren::RandomGamma", {{"k", real(layer, "k")}, {"theta", real(layer, "theta")}});
}

/// The reference has no switch for inference: a Dropout in a published network drops.
LayerOutputs dropout(Layer& layer) {
  const double p = layer.arguments().real("p");
  if (!(p >= 0 && p < 1)) return layer.refuse("p must be at least 0 and less than 1");
  if (p == 0) return std::vector{layer.input(0)};
  return std::vector{
      layer.graph.node("noren::Dropout", {layer.input(0)}, layer.input(0).shape,
                       {{"p", static_cast<float>(p)}, {"seed", layer.arguments().integer("seed")}})};
}

std::int64_t flag(const Layer& layer, std::string_view name) {
  return layer.arguments().boolean(name) ? 1 : 0;
}

/// The k best numbers of each sample: by falling size, or all others 0 where they stand.
LayerOutputs top_k_data(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  const std::int64_t k = layer.arguments().integer("k");
  const bool reduce = layer.arguments().boolean("reduce"),
             with_index = layer.arguments().boolean("with_index");
  ASSIGN_OR_RETURN(const std::int64_t base_axis,
                   resolve_axis(layer, layer.arguments().integer("base_axis"), x.rank()));
  Shape shape(x.shape.begin(), x.shape.begin() + base_axis);
  const std::int64_t rows = element_count(shape), numbers = x.count() / rows;
  if (k < 1 || k > numbers)
    return layer.refuse("k is " + std::to_string(k) + ", a sample has " + std::to_string(numbers) +
                        " numbers");
  if (with_index && !reduce) return layer.refuse("with_index needs reduce");
  shape.push_back(k);
  const Attributes attributes = {{"k", k},
                                 {"abs", flag(layer, "abs")},
                                 {"largest", flag(layer, "largest")},
                                 {"in_place", reduce ? 0 : 1}};
  const Value flat = graph.reshape(x, {rows, numbers});
  if (!reduce)
    return std::vector{graph.reshape(graph.node("noren::TopK", {flat}, flat.shape, attributes), x.shape)};
  const auto best = graph.nodes("noren::TopK", {flat}, {{rows, k}, {rows, k}}, attributes);
  return std::vector{graph.reshape(best[0], shape), graph.reshape(best[1], shape)};
}

LayerOutputs random_choice(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  if (x.rank() < 1 || x.shape != layer.input(1).shape) return layer.refuse("its inputs must be alike");
  Shape shape(x.shape.begin(), x.shape.end() - 1);
  const std::int64_t rows = element_count(shape), numbers = x.shape.back();
  Shape drawn = layer.arguments().shape("shape");
  if (drawn.empty()) drawn = {1};
  const auto draws = checked_element_count(drawn);
  if (!draws.ok()) return layer.refuse(draws.error().text);
  if (!layer.arguments().boolean("replace") && *draws > numbers)
    return layer.refuse("it can't draw " + std::to_string(*draws) + " of " + std::to_string(numbers) +
                        " without replacement");
  shape.insert(shape.end(), drawn.begin(), drawn.end());
  const Value chosen = graph.node(
      "noren::RandomChoice",
      {graph.reshape(x, {rows, numbers}), graph.reshape(layer.input(1), {rows, numbers})}, {rows, *draws},
      {{"draws", *draws}, {"replace", flag(layer, "replace")}, {"seed", layer.arguments().integer("seed")}});
  return std::vector{graph.reshape(chosen, shape)};
}

Result<std::int64_t> base_axis_of(const Layer& layer) {
  return resolve_axis(layer, layer.arguments().integer("base_axis"), layer.input(0).rank());
}

LayerOutputs random_crop(Layer& layer) {
  const Value& x = layer.input(0);
  const Shape& crop = layer.arguments().shape("shape");
  ASSIGN_OR_RETURN(const std::int64_t base_axis, base_axis_of(layer));
  if (static_cast<std::int64_t>(crop.size()) > x.rank() - base_axis)
    return layer.refuse("shape has more axes than a sample");
  Shape shape = x.shape;
  for (std::size_t i = 0; i < crop.size(); ++i) {
    std::int64_t& length = shape[shape.size() - crop.size() + i];
    if (crop[i] < 1 || crop[i] > length)
      return layer.refuse("shape " + to_string(crop) + " does not fit into " + to_string(x.shape));
    length = crop[i];
  }
  return std::vector{layer.graph.node(
      "noren::RandomCrop", {x}, shape,
      {{"shape", crop}, {"base_axis", base_axis}, {"seed", layer.arguments().integer("seed")}})};
}

LayerOutputs random_flip(Layer& layer) {
  const Value& x = layer.input(0);
  ASSIGN_OR_RETURN(const std::int64_t base_axis, base_axis_of(layer));
  ASSIGN_OR_RETURN(const auto axes, resolve_axes(layer, layer.arguments().integers("axes"), x.rank()));
  return std::vector{layer.graph.node(
      "noren::RandomFlip", {x}, x.shape,
      {{"axes", axes}, {"base_axis", base_axis}, {"seed", layer.arguments().integer("seed")}})};
}

LayerOutputs random_shift(Layer& layer) {
  const Value& x = layer.input(0);
  const auto& shifts = layer.arguments().integers("shifts");
  const std::string& mode = layer.arguments().text("border_mode");
  ASSIGN_OR_RETURN(const std::int64_t base_axis, base_axis_of(layer));
  for (const std::int64_t shift : shifts)
    if (shift < 0 || shift > (1 << 20)) return layer.refuse("a shift is out of range");
  if (mode != "nearest" && mode != "reflect" && mode != "constant")
    return layer.refuse("border_mode '" + mode + "' is not nearest, reflect or constant");
  return std::vector{layer.graph.node("noren::RandomShift", {x}, x.shape,
                                      {{"shifts", shifts},
                                       {"border_mode", mode},
                                       {"constant_value", real(layer, "constant_value")},
                                       {"base_axis", base_axis},
                                       {"seed", layer.arguments().integer("seed")}})};
}

Result<std::vector<float>> pair_of(const Layer& layer, std::string_view name) {
  const auto& values = layer.arguments().reals(name);
  if (values.size() != 2 || !(values[0] <= values[1]))
    return layer.refuse(std::string(name) + " must be two numbers, the smaller one first");
  return std::vector<float>(values.begin(), values.end());
}

LayerOutputs random_erase(Layer& layer) {
  const Value& x = layer.input(0);
  if (layer.arguments().boolean("channel_last"))
    return layer.not_supported("channel_last is for GPUs in the reference implementation too");
  ASSIGN_OR_RETURN(const std::int64_t base_axis, base_axis_of(layer));
  ASSIGN_OR_RETURN(const auto areas, pair_of(layer, "area_ratios"));
  ASSIGN_OR_RETURN(const auto aspects, pair_of(layer, "aspect_ratios"));
  ASSIGN_OR_RETURN(const auto replacements, pair_of(layer, "replacements"));
  const std::int64_t times = layer.arguments().integer("n");
  if (x.rank() - base_axis != 3) return layer.refuse("a sample must be a picture (channels, height, width)");
  if (times < 1 || times > 10'000 || !(areas[0] >= 0) || !(aspects[0] > 0))
    return layer.refuse("an argument is out of range");
  return std::vector{layer.graph.node("noren::RandomErase", {x}, x.shape,
                                      {{"prob", real(layer, "prob")},
                                       {"area_ratios", areas},
                                       {"aspect_ratios", aspects},
                                       {"replacements", replacements},
                                       {"n", times},
                                       {"share", flag(layer, "share")},
                                       {"base_axis", base_axis},
                                       {"seed", layer.arguments().integer("seed")}})};
}

LayerOutputs image_augmentation(Layer& layer) {
  const Value& x = layer.input(0);
  const Shape& view = layer.arguments().shape("shape");
  const Shape& pad = layer.arguments().shape("pad");
  if (view.size() < 2 || view.size() > x.shape.size() || pad.size() != 2 || pad[0] < 0 || pad[1] < 0)
    return layer.refuse("shape and pad must have a height and a width");
  Shape shape = x.shape;
  std::copy(view.begin(), view.end(), shape.end() - static_cast<std::ptrdiff_t>(view.size()));
  const auto count = checked_element_count(shape);
  if (!count.ok()) return layer.refuse(count.error().text);
  if (!std::equal(shape.begin(), shape.end() - 2, x.shape.begin()))
    return layer.refuse("only height and width can change");
  if (!(real(layer, "min_scale") > 0 && real(layer, "max_scale") > 0 && real(layer, "aspect_ratio") > 0 &&
        real(layer, "contrast") > 0))
    return layer.refuse("min_scale, max_scale, aspect_ratio and contrast must be positive");
  Attributes attributes = {{"shape", view}, {"pad", pad}, {"seed", layer.arguments().integer("seed")}};
  for (const std::string_view name : {"min_scale", "max_scale", "angle", "aspect_ratio", "distortion",
                                      "brightness", "contrast", "contrast_center", "noise"})
    attributes.emplace_back(name, real(layer, name));
  for (const std::string_view name : {"flip_lr", "flip_ud", "brightness_each", "contrast_each"})
    attributes.emplace_back(name, flag(layer, name));
  return std::vector{layer.graph.node("noren::ImageAugmentation", {x}, shape, attributes)};
}

bool base_axis_is_behind_batch(const Layer& layer) { return layer.arguments().integer("base_axis") != 0; }

constexpr std::string_view kDrawn = "drawn afresh for each request";

constexpr LayerDefinition kLayers[] = {
    {"Rand", 0, 0, Rows::kIndependent, rand, Randomness::kDraws, nullptr, kDrawn},
    {"Randint", 0, 0, Rows::kIndependent, randint, Randomness::kDraws, nullptr, kDrawn},
    {"Randn", 0, 0, Rows::kIndependent, randn, Randomness::kDraws, nullptr, kDrawn},
    {"RandBinomial", 0, 0, Rows::kIndependent, rand_binomial, Randomness::kDraws, nullptr, kDrawn},
    {"RandBeta", 0, 0, Rows::kIndependent, rand_beta, Randomness::kDraws, nullptr, kDrawn},
    {"RandGamma", 0, 0, Rows::kIndependent, rand_gamma, Randomness::kDraws, nullptr, kDrawn},
    {"Dropout", 1, 1, Rows::kIndependent, dropout, Randomness::kDraws, nullptr, kDrawn},
    {"TopKData", 1, 1, Rows::kByArguments, top_k_data, Randomness::kNone, base_axis_is_behind_batch},
    {"RandomChoice", 2, 2, Rows::kIndependent, random_choice, Randomness::kDraws, nullptr, kDrawn},
    {"RandomCrop", 1, 1, Rows::kIndependent, random_crop, Randomness::kDraws, nullptr, kDrawn},
    {"RandomFlip", 1, 1, Rows::kIndependent, random_flip, Randomness::kDraws, nullptr, kDrawn},
    {"RandomShift", 1, 1, Rows::kIndependent, random_shift, Randomness::kDraws, nullptr, kDrawn},
    {"RandomErase", 1, 1, Rows::kIndependent, random_erase, Randomness::kDraws, nullptr, kDrawn},
    {"ImageAugmentation", 1, 1, Rows::kIndependent, image_augmentation, Randomness::kDraws, nullptr, kDrawn},
};

}  // namespace

LayerFamily stochastic_layers() { return kLayers; }

}  // namespace noren::worker
