// Layers that draw at random. Each request draws afresh; a seed other than -1 gives the sequence of that seed.
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

float real(const Layer& layer, std::string_view name) { return static_cast<float>(layer.arguments().real(name)); }

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
  if (!(real(layer, "alpha") > 0 && real(layer, "beta") > 0)) return layer.refuse("alpha and beta must be positive");
  return fill(layer, "noren::RandomBeta", {{"alpha", real(layer, "alpha")}, {"beta", real(layer, "beta")}});
}

LayerOutputs rand_gamma(Layer& layer) {
  if (!(real(layer, "k") > 0 && real(layer, "theta") > 0)) return layer.refuse("k and theta must be positive");
  return fill(layer, "noren::RandomGamma", {{"k", real(layer, "k")}, {"theta", real(layer, "theta")}});
}

/// The reference has no switch for inference: a Dropout in a published network drops.
LayerOutputs dropout(Layer& layer) {
  const double p = layer.arguments().real("p");
  if (!(p >= 0 && p < 1)) return layer.refuse("p must be at least 0 and less than 1");
  if (p == 0) return std::vector{layer.input(0)};
  return std::vector{layer.graph.node("noren::Dropout", {layer.input(0)}, layer.input(0).shape,
                                      {{"p", static_cast<float>(p)}, {"seed", layer.arguments().integer("seed")}})};
}

constexpr std::string_view kDrawn = "drawn afresh for each request";

constexpr LayerDefinition kLayers[] = {
    {"Rand", 0, 0, Rows::kIndependent, rand, Randomness::kDraws, nullptr, kDrawn},
    {"Randint", 0, 0, Rows::kIndependent, randint, Randomness::kDraws, nullptr, kDrawn},
    {"Randn", 0, 0, Rows::kIndependent, randn, Randomness::kDraws, nullptr, kDrawn},
    {"RandBinomial", 0, 0, Rows::kIndependent, rand_binomial, Randomness::kDraws, nullptr, kDrawn},
    {"RandBeta", 0, 0, Rows::kIndependent, rand_beta, Randomness::kDraws, nullptr, kDrawn},
    {"RandGamma", 0, 0, Rows::kIndependent, rand_gamma, Randomness::kDraws, nullptr, kDrawn},
    {"Dropout", 1, 1, Rows::kIndependent, dropout, Randomness::kDraws, nullptr, kDrawn},
};

}  // namespace

LayerFamily stochastic_layers() { return kLayers; }

}  // namespace noren::worker
