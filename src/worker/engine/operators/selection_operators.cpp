// Selection by rank or by weight: the k largest of a sample, and random choices.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "worker/engine/operators/families.h"
#include "worker/engine/operators/random_generator.h"

namespace noren::worker {
namespace {

/// x: (rows, numbers) → values (rows, k) and indices (rows, k), best first. Ties fall as in the reference,
/// which keeps a heap of the first k and replaces its worst only by a strictly better number.
class TopK final : public Operator {
 public:
  explicit TopK(const OperatorAttributes& attributes)
      : k_(attributes.integer("k", 1)),
        absolute_(attributes.integer("abs", 0) != 0),
        largest_(attributes.integer("largest", 1) != 0),
        in_place_(attributes.integer("in_place", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    if (x.shape.size() != 2 || k_ < 1 || k_ > x.shape[1]) throw OperatorFailure("TopK: k does not fit");
    const std::int64_t rows = x.shape[0], numbers = x.shape[1];
    float* values = context.output(0, {rows, in_place_ ? numbers : k_});
    float* indices = context.output_count() > 1 ? context.output(1, {rows, k_}) : nullptr;
    if (in_place_) std::fill(values, values + rows * numbers, 0.0F);
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* numbers_of_row = x.floats() + row * numbers;
      const auto best = best_of(numbers_of_row, numbers);
      for (std::int64_t i = 0; i < k_; ++i) {
        const std::int64_t index = best[static_cast<std::size_t>(i)];
        values[in_place_ ? row * numbers + index : row * k_ + i] = numbers_of_row[index];
        if (indices != nullptr) indices[row * k_ + i] = static_cast<float>(index);
      }
    }
  }

 private:
  std::vector<std::int64_t> best_of(const float* x, std::int64_t count) const {
    using Entry = std::pair<float, std::int64_t>;
    const auto better = [this](const Entry& a, const Entry& b) {
      return largest_ ? a.first > b.first : a.first < b.first;
    };
    const auto entry = [&](std::int64_t i) { return Entry{absolute_ ? std::abs(x[i]) : x[i], i}; };
    std::vector<Entry> heap;
    for (std::int64_t i = 0; i < k_; ++i) heap.push_back(entry(i));
    std::make_heap(heap.begin(), heap.end(), better);
    for (std::int64_t i = k_; i < count; ++i) {
      if (!better(entry(i), heap.front())) continue;
      std::pop_heap(heap.begin(), heap.end(), better);
      heap.back() = entry(i);
      std::push_heap(heap.begin(), heap.end(), better);
    }
    std::sort_heap(heap.begin(), heap.end(), better);
    std::vector<std::int64_t> order;
    for (const Entry& kept : heap) order.push_back(kept.second);
    return order;
  }

  std::int64_t k_;
  bool absolute_, largest_, in_place_;
};

/// x and weights: (rows, numbers) → (rows, draws): draws of x with the probability of their weights.
class RandomChoice final : public Operator {
 public:
  explicit RandomChoice(const OperatorAttributes& attributes)
      : draws_(attributes.integer("draws", 1)),
        replace_(attributes.integer("replace", 1) != 0),
        generator_(make_generator(attributes)) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0), weights = context.input(1);
    if (x.shape.size() != 2 || x.shape != weights.shape) throw OperatorFailure("RandomChoice: wrong shapes");
    const std::int64_t rows = x.shape[0], numbers = x.shape[1];
    float* y = context.output(0, {rows, draws_});
    for (std::int64_t row = 0; row < rows; ++row) {
      std::vector<float> left(weights.floats() + row * numbers, weights.floats() + (row + 1) * numbers);
      check(left);
      for (std::int64_t i = 0; i < draws_; ++i) {
        const std::size_t index = draw(left);
        *y++ = x.floats()[row * numbers + static_cast<std::int64_t>(index)];
        if (!replace_) left[index] = 0;
      }
    }
  }

 private:
  void check(const std::vector<float>& weights) const {
    std::int64_t positive = 0;
    for (const float weight : weights) {
      if (!(weight >= 0)) throw OperatorFailure("RandomChoice: a weight is negative or no number");
      positive += weight > 0 ? 1 : 0;
    }
    if (positive < (replace_ ? 1 : draws_))
      throw OperatorFailure("RandomChoice: too few weights are positive");
  }
  std::size_t draw(const std::vector<float>& weights) {
    std::vector<float> sums(weights.size());
    std::partial_sum(weights.begin(), weights.end(), sums.begin());
    const auto place = static_cast<float>(std::uniform_real_distribution<>(0, sums.back())(generator_));
    const auto found = std::upper_bound(sums.begin(), sums.end(), place);
    if (found != sums.end()) return static_cast<std::size_t>(found - sums.begin());
    // Rounding reached the very end: the last number that can be drawn.
    std::size_t last = weights.size() - 1;
    while (weights[last] == 0) --last;
    return last;
  }

  std::int64_t draws_;
  bool replace_;
  std::mt19937 generator_;
};

constexpr OperatorDefinition kOperators[] = {
    {"TopK", make_operator<TopK>},
    {"RandomChoice", make_operator<RandomChoice>},
};

}  // namespace

OperatorFamily selection_operators() { return kOperators; }

}  // namespace noren::worker
