// Elements by index: sorting, searching, scattering. An index that is out of range fails the run with a
// sentence.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "worker/engine/operators/families.h"

namespace noren::worker {
namespace {

void require(bool condition, const char* text) {
  if (!condition) throw OperatorFailure(text);
}

/// Positions along axes, made of floats as the reference does it: cut to a whole number, then checked.
class IndexReader {
 public:
  explicit IndexReader(const OperatorAttributes& attributes) : layer_(attributes.text("layer", "")) {}

  /// From 0 on.
  std::int64_t from_start(float given, std::int64_t count) const {
    if (!(given > -1.0F && given < static_cast<double>(count))) refuse(given, count);
    return static_cast<std::int64_t>(given);
  }
  /// Negative ones count from the end.
  std::int64_t from_either_end(float given, std::int64_t count) const {
    const auto end = static_cast<double>(count);
    if (!(given > -end - 1.0 && given < end)) refuse(given, count);
    const auto index = static_cast<std::int64_t>(given);
    return index < 0 ? index + count : index;
  }
  [[noreturn]] void refuse(float given, std::int64_t count) const {
    const bool whole = std::abs(given) < 1.0e9F && given == std::trunc(given);
    const std::string text = whole ? std::to_string(static_cast<std::int64_t>(given)) : std::to_string(given);
    throw OperatorFailure("layer '" + layer_ + "': index " + text + " is not within an axis of " +
                          std::to_string(count));
  }

 private:
  std::string layer_;
};

/// Indices as whole numbers from 0 on (still floats). The input is equal parts, one for each of `counts`.
class Indices final : public Operator {
 public:
  explicit Indices(const OperatorAttributes& attributes)
      : reader_(attributes),
        counts_(attributes.integers("counts")),
        from_end_(attributes.integer("from_end", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput raw = context.input(0);
    const auto rows = static_cast<std::int64_t>(counts_.size());
    require(rows > 0 && raw.count % rows == 0, "Indices: rows of unequal length");
    float* y = context.output(0, raw.shape);
    const float* x = raw.floats();
    for (const std::int64_t count : counts_)
      for (std::int64_t i = 0; i < raw.count / rows; ++i, ++x)
        *y++ = static_cast<float>(from_end_ ? reader_.from_either_end(*x, count)
                                            : reader_.from_start(*x, count));
  }

 private:
  IndexReader reader_;
  std::vector<std::int64_t> counts_;
  bool from_end_;
};

/// An array as (outer, length, inner) around one axis.
struct AroundAxis {
  std::int64_t outer = 1, length = 1, inner = 1;
  AroundAxis(const Shape& shape, std::int64_t axis) {
    require(axis >= 0 && axis < static_cast<std::int64_t>(shape.size()), "an axis is out of range");
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(shape.size()); ++i)
      (i < axis ? outer : i == axis ? length : inner) *= shape[static_cast<std::size_t>(i)];
  }
};

/// Values, their places, or both, in order along one axis. Equal values come in the order that std::sort
/// leaves them in, which is the reference's; a row with a nan (for which that has no order) has it last.
class Sort final : public Operator {
 public:
  explicit Sort(const OperatorAttributes& attributes)
      : axis_(attributes.integer("axis", 0)),
        reverse_(attributes.integer("reverse", 0) != 0),
        only_index_(attributes.integer("only_index", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0);
    const AroundAxis around(x.shape, axis_);
    float* values = only_index_ ? nullptr : context.output(0, x.shape);
    float* places = nullptr;
    if (only_index_) places = context.output(0, x.shape);
    if (!only_index_ && context.output_count() > 1) places = context.output(1, x.shape);
    std::vector<float> row(static_cast<std::size_t>(around.length));
    std::vector<std::uint32_t> order(row.size());
    for (std::int64_t outer = 0; outer < around.outer; ++outer)
      for (std::int64_t inner = 0; inner < around.inner; ++inner) {
        const std::int64_t start = outer * around.length * around.inner + inner;
        for (std::size_t i = 0; i < row.size(); ++i)
          row[i] = x.floats()[start + static_cast<std::int64_t>(i) * around.inner];
        sort_row(row, order);
        for (std::size_t i = 0; i < row.size(); ++i) {
          const std::int64_t at = start + static_cast<std::int64_t>(i) * around.inner;
          if (values != nullptr) values[at] = row[order[i]];
          if (places != nullptr) places[at] = static_cast<float>(order[i]);
        }
      }
  }

 private:
  void sort_row(const std::vector<float>& row, std::vector<std::uint32_t>& order) const {
    std::iota(order.begin(), order.end(), 0U);
    if (std::any_of(row.begin(), row.end(), [](float value) { return std::isnan(value); })) {
      std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        if (std::isnan(row[a]) || std::isnan(row[b])) return !std::isnan(row[a]) && std::isnan(row[b]);
        return reverse_ ? row[a] > row[b] : row[a] < row[b];
      });
    } else if (reverse_) {
      std::sort(order.begin(), order.end(),
                [&](std::uint32_t a, std::uint32_t b) { return row[a] > row[b]; });
    } else {
      std::sort(order.begin(), order.end(),
                [&](std::uint32_t a, std::uint32_t b) { return row[a] < row[b]; });
    }
  }

  std::int64_t axis_;
  bool reverse_, only_index_;
};

/// For each value its place in the sorted row of the same leading position.
class SearchSorted final : public Operator {
 public:
  explicit SearchSorted(const OperatorAttributes& attributes) : right_(attributes.integer("right", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput sequence = context.input(0), values = context.input(1);
    require(!sequence.shape.empty() && sequence.shape.size() == values.shape.size() && sequence.count > 0,
            "SearchSorted: the inputs differ in rank");
    const std::int64_t length = sequence.shape.back(), asked = values.shape.back();
    const std::int64_t rows = sequence.count / length;
    require(values.count == rows * asked, "SearchSorted: the inputs differ in rows");
    float* y = context.output(0, values.shape);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < asked; ++i)
        *y++ = static_cast<float>(
            place(sequence.floats() + row * length, values.floats()[row * asked + i], length));
  }

 private:
  /// Bisection whose answers for rows out of order, and for nan, are the reference's too.
  std::int64_t place(const float* row, float value, std::int64_t length) const {
    std::int64_t low = 0, high = length - 1;
    while (true) {
      if (value > row[high] || (right_ && value == row[high])) return high + 1;
      if (value < row[low] || (!right_ && value == row[low])) return low;
      if (high - low <= 1) return high;
      const std::int64_t middle = (low + high + 1) / 2;
      const bool before = right_ ? value < row[middle] : value <= row[middle];
      (before ? high : low) = middle;
    }
  }

  bool right_;
};

/// A copy of input `index`, or zeros where it is left out, as output 0.
float* start_from(OperatorContext& context, std::size_t index, const Shape& shape) {
  float* y = context.output(0, shape);
  const std::int64_t count = element_count(shape);
  if (context.input_count() <= index) {
    std::fill_n(y, count, 0.0F);
    return y;
  }
  const OperatorInput initial = context.input(index);
  require(initial.shape == shape, "the array to write into has another shape");
  std::copy_n(initial.floats(), count, y);
  return y;
}

/// data (places…, rest…), indices (depth, places…), an optional array to write into.
class ScatterNd final : public Operator {
 public:
  explicit ScatterNd(const OperatorAttributes& attributes)
      : reader_(attributes), shape_(attributes.integers("shape")), add_(attributes.integer("add", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput data = context.input(0), indices = context.input(1);
    require(!indices.shape.empty() && indices.shape[0] >= 1 && indices.count > 0, "ScatterNd: no indices");
    const auto depth = static_cast<std::size_t>(indices.shape[0]);
    require(depth <= shape_.size(), "ScatterNd: the indices are too deep");
    const std::int64_t places = indices.count / indices.shape[0];
    const std::int64_t width = std::accumulate(shape_.begin() + static_cast<std::ptrdiff_t>(depth),
                                               shape_.end(), std::int64_t{1}, std::multiplies<>());
    require(data.count == places * width, "ScatterNd: the data does not fit the indices");
    float* y = start_from(context, 2, shape_);
    for (std::int64_t place = 0; place < places; ++place) {
      std::int64_t row = 0;
      for (std::size_t axis = 0; axis < depth; ++axis)
        row = row * shape_[axis] +
              reader_.from_either_end(indices.floats()[static_cast<std::int64_t>(axis) * places + place],
                                      shape_[axis]);
      const float* from = data.floats() + place * width;
      float* to = y + row * width;
      if (add_)
        for (std::int64_t i = 0; i < width; ++i) to[i] += from[i];
      else
        std::copy_n(from, width, to);
    }
  }

 private:
  IndexReader reader_;
  Shape shape_;
  bool add_;
};

/// x, and at the position that each index names along the axis, the element of `added` at the index's own
/// place.
class ScatterAdd final : public Operator {
 public:
  explicit ScatterAdd(const OperatorAttributes& attributes)
      : reader_(attributes), axis_(attributes.integer("axis", 0)) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = context.input(0), indices = context.input(1), added = context.input(2);
    const std::size_t rank = x.shape.size();
    require(indices.shape.size() == rank && added.shape.size() == rank && axis_ >= 0 &&
                axis_ < static_cast<std::int64_t>(rank),
            "ScatterAdd: the inputs differ in rank");
    const auto axis = static_cast<std::size_t>(axis_);
    for (std::size_t i = 0; i < rank; ++i)
      require(indices.shape[i] <= added.shape[i] && (i == axis || indices.shape[i] <= x.shape[i]),
              "ScatterAdd: the indices don't fit");
    float* y = start_from(context, 0, x.shape);
    std::vector<std::int64_t> place(rank, 0);
    for (std::int64_t i = 0; i < indices.count; ++i) {
      const float given = indices.floats()[i];
      if (!(given >= 0.0F)) reader_.refuse(given, x.shape[axis]);
      const std::int64_t target = reader_.from_start(given, x.shape[axis]);
      std::int64_t from = 0, to = 0;
      for (std::size_t k = 0; k < rank; ++k) {
        from = from * added.shape[k] + place[k];
        to = to * x.shape[k] + (k == axis ? target : place[k]);
      }
      y[to] += added.floats()[from];
      for (std::size_t k = rank; k-- > 0 && ++place[k] == indices.shape[k];) place[k] = 0;
    }
  }

 private:
  IndexReader reader_;
  std::int64_t axis_;
};

/// data (count, rest…), mask, an optional array (mask's axes, rest…): row after row of the data goes where
/// the mask is set. Where it is not, stands the array, else 0 times the next row (so an infinity there
/// becomes nan).
class BoolScatter final : public Operator {
 public:
  explicit BoolScatter(const OperatorAttributes&) {}

  void compute(OperatorContext& context) override {
    const OperatorInput data = context.input(0), mask = context.input(1);
    require(!data.shape.empty() && data.count > 0, "BoolScatter: no data");
    const std::int64_t rows = data.shape[0], width = data.count / rows;
    Shape shape = mask.shape;
    shape.insert(shape.end(), data.shape.begin() + 1, data.shape.end());
    const bool into_given = context.input_count() > 2;
    float* y = start_from(context, 2, shape);
    const float* row = data.floats();
    const float* last = row + (rows - 1) * width;
    for (std::int64_t i = 0; i < mask.count; ++i, y += width) {
      const bool set = mask.floats()[i] != 0.0F;
      for (std::int64_t k = 0; k < width && (set || !into_given); ++k) y[k] = set ? row[k] : 0.0F * row[k];
      if (set && row != last) row += width;
    }
  }
};

/// The product of all elements up to each one along an axis.
class RunningProduct final : public Operator {
 public:
  explicit RunningProduct(const OperatorAttributes& attributes)
      : axis_(attributes.integer("axis", 0)),
        exclusive_(attributes.integer("exclusive", 0) != 0),
        reverse_(attributes.integer("reverse", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput input = context.input(0);
    const AroundAxis around(input.shape, axis_);
    float* y = context.output(0, input.shape);
    const float* x = input.floats();
    const std::int64_t inner = around.inner, step = reverse_ ? -inner : inner;
    for (std::int64_t outer = 0; outer < around.outer; ++outer) {
      std::int64_t row = outer * around.length * inner + (reverse_ ? (around.length - 1) * inner : 0);
      for (std::int64_t i = 0; i < inner; ++i) y[row + i] = exclusive_ ? 1.0F : x[row + i];
      for (std::int64_t k = 1; k < around.length; ++k) {
        const float* factor = x + (exclusive_ ? row : row + step);
        for (std::int64_t i = 0; i < inner; ++i) y[row + step + i] = y[row + i] * factor[i];
        row += step;
      }
    }
  }

 private:
  std::int64_t axis_;
  bool exclusive_, reverse_;
};

/// atan2(a, b); axes of length 1 broadcast.
class ArcTangent2 final : public Operator {
 public:
  explicit ArcTangent2(const OperatorAttributes&) {}

  void compute(OperatorContext& context) override {
    const OperatorInput a = context.input(0), b = context.input(1);
    const std::size_t rank = a.shape.size();
    require(b.shape.size() == rank, "ArcTangent2: the inputs differ in rank");
    Shape shape(rank), step_a(rank, 0), step_b(rank, 0);
    std::int64_t count_a = 1, count_b = 1;
    for (std::size_t i = rank; i-- > 0;) {
      require(a.shape[i] == b.shape[i] || a.shape[i] == 1 || b.shape[i] == 1,
              "ArcTangent2: the inputs don't fit");
      shape[i] = a.shape[i] == 1 ? b.shape[i] : a.shape[i];
      if (a.shape[i] != 1) step_a[i] = count_a;
      if (b.shape[i] != 1) step_b[i] = count_b;
      count_a *= a.shape[i];
      count_b *= b.shape[i];
    }
    float* y = context.output(0, shape);
    // Whole rows of the last axis at a time.
    const std::int64_t length = rank == 0 ? 1 : shape.back(), count = element_count(shape);
    const std::int64_t next_a = rank == 0 ? 0 : step_a.back(), next_b = rank == 0 ? 0 : step_b.back();
    std::vector<std::int64_t> place(rank, 0);
    for (std::int64_t done = 0; done < count; done += length) {
      const float* row_a =
          a.floats() + std::inner_product(place.begin(), place.end(), step_a.begin(), std::int64_t{0});
      const float* row_b =
          b.floats() + std::inner_product(place.begin(), place.end(), step_b.begin(), std::int64_t{0});
      for (std::int64_t i = 0; i < length; ++i) *y++ = std::atan2(row_a[i * next_a], row_b[i * next_b]);
      for (std::size_t k = rank; k-- > 1 && ++place[k - 1] == shape[k - 1];) place[k - 1] = 0;
    }
  }
};

constexpr OperatorDefinition kOperators[] = {
    {"Indices", make_operator<Indices>},
    {"Sort", make_operator<Sort>},
    {"SearchSorted", make_operator<SearchSorted>},
    {"ScatterNd", make_operator<ScatterNd>},
    {"ScatterAdd", make_operator<ScatterAdd>},
    {"BoolScatter", make_operator<BoolScatter>},
    {"RunningProduct", make_operator<RunningProduct>},
    {"ArcTangent2", make_operator<ArcTangent2>},
};

}  // namespace

OperatorFamily indexing_operators() { return kOperators; }

}  // namespace noren::worker
