// Numbers drawn afresh in each run. Distributions are the standard library's, as in the reference.
#include <atomic>
#include <cmath>
#include <cstring>

#include "worker/engine/operators/families.h"
#include "worker/engine/operators/random_generator.h"

namespace noren::worker {
namespace {

std::atomic<std::uint64_t> requests_count = 0;

/// An operator without inputs whose output has the shape of an attribute. With "once_a_request", the
/// evaluations of one request see the same numbers.
template <typename Draw>
class RandomFill final : public Operator {
 public:
  explicit RandomFill(const OperatorAttributes& attributes)
      : shape_(attributes.integers("shape")),
        is_drawn_once_(attributes.integer("once_a_request", 0) != 0),
        draw_(attributes),
        generator_(make_generator(attributes)) {}
  void compute(OperatorContext& context) override {
    float* values = context.output(0, shape_);
    const auto count = static_cast<std::size_t>(element_count(shape_));
    if (!is_drawn_once_) return fill(values, count);
    if (const std::uint64_t request = requests_count; request != request_ || drawn_.empty()) {
      request_ = request;
      drawn_.resize(count);
      fill(drawn_.data(), count);
    }
    std::memcpy(values, drawn_.data(), count * sizeof(float));
  }

 private:
  void fill(float* values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) values[i] = draw_(generator_);
  }

  Shape shape_;
  bool is_drawn_once_ = false;
  Draw draw_;
  std::mt19937 generator_;
  std::vector<float> drawn_;  ///< for `request_`
  std::uint64_t request_ = 0;
};

struct DrawNormal {
  explicit DrawNormal(const OperatorAttributes& a) : mu(a.real("mu", 0)), sigma(a.real("sigma", 1)) {}
  float operator()(std::mt19937& generator) { return mu + sigma * standard(generator); }
  float mu, sigma;  ///< apart from the distribution, which does not take a sigma of 0
  std::normal_distribution<float> standard;
};

struct DrawUniform {
  explicit DrawUniform(const OperatorAttributes& a) : distribution(a.real("low", 0), a.real("high", 1)) {}
  float operator()(std::mt19937& generator) { return distribution(generator); }
  std::uniform_real_distribution<float> distribution;
};

/// Whole numbers in [low, high).
struct DrawInteger {
  explicit DrawInteger(const OperatorAttributes& a)
      : distribution(static_cast<int>(a.integer("low", 0)), static_cast<int>(a.integer("high", 1) - 1)) {}
  float operator()(std::mt19937& generator) { return static_cast<float>(distribution(generator)); }
  std::uniform_int_distribution<int> distribution;
};

struct DrawBinomial {
  explicit DrawBinomial(const OperatorAttributes& a)
      : distribution(static_cast<int>(a.integer("n", 1)), static_cast<double>(a.real("p", 0.5F))) {}
  float operator()(std::mt19937& generator) { return static_cast<float>(distribution(generator)); }
  std::binomial_distribution<int> distribution;
};

struct DrawGamma {
  explicit DrawGamma(const OperatorAttributes& a) : distribution(a.real("k", 0.5F), a.real("theta", 1)) {}
  float operator()(std::mt19937& generator) { return distribution(generator); }
  std::gamma_distribution<float> distribution;
};

/// Beta as the ratio of two gammas: G(alpha) / (G(alpha) + G(beta)).
struct DrawBeta {
  explicit DrawBeta(const OperatorAttributes& a)
      : first(a.real("alpha", 0.5F), 1), second(a.real("beta", 0.5F), 1) {}
  float operator()(std::mt19937& generator) {
    const double a = first(generator), b = second(generator);
    return a + b > 0 ? static_cast<float>(a / (a + b)) : 0.5F;
  }
  std::gamma_distribution<double> first, second;
};

/// y = x m / (1 - p), m drawn from {0, 1}, 1 with probability 1 - p.
class Dropout final : public Operator {
 public:
  explicit Dropout(const OperatorAttributes& attributes)
      : keep_(1.0 - static_cast<double>(attributes.real("p", 0.5F))),
        generator_(make_generator(attributes)) {}
  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    const auto scale = static_cast<float>(1.0 / keep_.p());
    float* y = context.output(0, x.shape);
    for (std::int64_t i = 0; i < x.count; ++i) y[i] = x.floats()[i] * (keep_(generator_) ? scale : 0.0F);
  }

 private:
  std::bernoulli_distribution keep_;
  std::mt19937 generator_;
};

constexpr OperatorDefinition kOperators[] = {
    {"RandomNormal", make_operator<RandomFill<DrawNormal>>},
    {"RandomUniform", make_operator<RandomFill<DrawUniform>>},
    {"RandomInteger", make_operator<RandomFill<DrawInteger>>},
    {"RandomBinomial", make_operator<RandomFill<DrawBinomial>>},
    {"RandomGamma", make_operator<RandomFill<DrawGamma>>},
    {"RandomBeta", make_operator<RandomFill<DrawBeta>>},
    {"Dropout", make_operator<Dropout>},
};

}  // namespace

void begin_request() { ++requests_count; }

OperatorFamily random_operators() { return kOperators; }

}  // namespace noren::worker
