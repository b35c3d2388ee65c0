// Rounding of activations: the rules are those of worker/tensor/quantize.h.
#include "worker/tensor/quantize.h"

#include "worker/engine/operators/families.h"

namespace noren::worker {
namespace {

template <typename Rule>
void apply(OperatorContext& context, const Rule& rule) {
  const OperatorInput x = context.input(0);
  float* y = context.output(0, x.shape);
  const float* from = x.floats();
  for (std::int64_t i = 0; i < x.count; ++i) y[i] = rule(from[i]);
}

class FixedPointQuantize final : public Operator {
 public:
  explicit FixedPointQuantize(const OperatorAttributes& attributes)
      : rule_{.step = attributes.real("step", 1),
              .low = attributes.real("low", 0),
              .high = attributes.real("high", 1)} {}
  void compute(OperatorContext& context) override { apply(context, rule_); }

 private:
  FixedPointRule rule_;
};

class Pow2Quantize final : public Operator {
 public:
  explicit Pow2Quantize(const OperatorAttributes& attributes)
      : rule_{.smallest = attributes.real("smallest", 1),
              .largest = attributes.real("largest", 1),
              .zero_below = attributes.real("zero_below", 0),
              .sign = attributes.integer("sign", 1) != 0 ? Sign::kKept : Sign::kDropped,
              .zero = attributes.integer("zero", 1) != 0 ? Zero::kExists : Zero::kMissing} {}
  void compute(OperatorContext& context) override { apply(context, rule_); }

 private:
  PowerOfTwoRule rule_;
};

class Prune final : public Operator {
 public:
  explicit Prune(const OperatorAttributes& attributes) : rate_(attributes.real("rate", 0)) {
    if (!(rate_ >= 0 && rate_ <= 1)) throw OperatorFailure("Prune: wrong attributes");
  }
  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    prune(x.floats(), context.output(0, x.shape), static_cast<std::size_t>(x.count), rate_);
  }

 private:
  float rate_;
};

constexpr OperatorDefinition kOperators[] = {
    {"FixedPointQuantize", make_operator<FixedPointQuantize>},
    {"Pow2Quantize", make_operator<Pow2Quantize>},
    {"Prune", make_operator<Prune>},
};

}  // namespace

OperatorFamily quantize_operators() { return kOperators; }

}  // namespace noren::worker
