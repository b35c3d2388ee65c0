// Determinant, inverse and Cholesky factor of each matrix of a batch, in float32 as the reference: LU with
// partial pivoting, so that singular matrices give what they give there.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "worker/engine/operators/families.h"

namespace noren::worker {
namespace {

/// (matrices, size, size)
OperatorInput square_matrices(OperatorContext& context) {
  const OperatorInput x = context.input(0);
  if (x.shape.size() != 3 || x.shape[1] != x.shape[2]) throw OperatorFailure("square matrices are needed");
  return x;
}

/// A matrix that becomes its own L (below the diagonal, which is 1 there) and U.
struct Factors {
  explicit Factors(std::int64_t n)
      : size(n), values(static_cast<std::size_t>(n * n)), row_of(static_cast<std::size_t>(n)) {}

  float* row(std::int64_t i) { return values.data() + i * size; }

  void decompose(const float* matrix) {
    std::copy_n(matrix, size * size, values.begin());
    std::iota(row_of.begin(), row_of.end(), std::int64_t{0});
    swaps_sign = 1.0F;
    for (std::int64_t k = 0; k < size; ++k) eliminate(k);
  }

  void eliminate(std::int64_t k) {
    std::int64_t pivot = k;
    for (std::int64_t i = k + 1; i < size; ++i)
      if (std::abs(row(i)[k]) > std::abs(row(pivot)[k])) pivot = i;
    if (row(pivot)[k] == 0.0F) return;
    if (pivot != k) {
      std::swap_ranges(row(k), row(k) + size, row(pivot));
      std::swap(row_of[static_cast<std::size_t>(k)], row_of[static_cast<std::size_t>(pivot)]);
      swaps_sign = -swaps_sign;
    }
    const float* top = row(k);
    for (std::int64_t i = k + 1; i < size; ++i) {
      float* line = row(i);
      const float factor = line[k] /= top[k];
      for (std::int64_t j = k + 1; j < size; ++j) line[j] -= factor * top[j];
    }
  }

  std::int64_t size;
  std::vector<float> values;
  std::vector<std::int64_t> row_of;  ///< of the matrix, for each row of the factors
  float swaps_sign = 1.0F;
};

class Determinant final : public Operator {
 public:
  explicit Determinant(const OperatorAttributes&) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = square_matrices(context);
    float* y = context.output(0, {x.shape[0]});
    Factors factors(x.shape[1]);
    for (std::int64_t b = 0; b < x.shape[0]; ++b) {
      factors.decompose(x.floats() + b * x.shape[1] * x.shape[1]);
      float product = 1.0F;
      for (std::int64_t i = 0; i < factors.size; ++i) product *= factors.row(i)[i];
      y[b] = factors.swaps_sign * product;
    }
  }
};

class Inverse final : public Operator {
 public:
  explicit Inverse(const OperatorAttributes&) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = square_matrices(context);
    float* y = context.output(0, x.shape);
    const std::int64_t n = x.shape[1];
    Factors factors(n);
    for (std::int64_t b = 0; b < x.shape[0]; ++b) {
      factors.decompose(x.floats() + b * n * n);
      solve(factors, y + b * n * n);
    }
  }

 private:
  /// L U y = P, whole rows at a time.
  static void solve(Factors& factors, float* y) {
    const std::int64_t n = factors.size;
    std::fill_n(y, n * n, 0.0F);
    for (std::int64_t i = 0; i < n; ++i) y[i * n + factors.row_of[static_cast<std::size_t>(i)]] = 1.0F;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t k = 0; k < i; ++k) subtract(y + i * n, factors.row(i)[k], y + k * n, n);
    for (std::int64_t i = n - 1; i >= 0; --i) {
      for (std::int64_t k = i + 1; k < n; ++k) subtract(y + i * n, factors.row(i)[k], y + k * n, n);
      const float pivot = factors.row(i)[i];
      for (std::int64_t j = 0; j < n; ++j) y[i * n + j] /= pivot;
    }
  }

  static void subtract(float* line, float factor, const float* other, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) line[j] -= factor * other[j];
  }
};

/// L with L L^T = x, of which only the lower triangle is read; or its transpose. From the first pivot on that
/// is not positive, the columns stay as they were.
class Cholesky final : public Operator {
 public:
  explicit Cholesky(const OperatorAttributes& attributes) : upper_(attributes.integer("upper", 0) != 0) {}

  void compute(OperatorContext& context) override {
    const OperatorInput x = square_matrices(context);
    float* y = context.output(0, x.shape);
    const std::int64_t n = x.shape[1];
    std::vector<float> lower(static_cast<std::size_t>(n * n));
    for (std::int64_t b = 0; b < x.shape[0]; ++b, y += n * n) {
      std::copy_n(x.floats() + b * n * n, n * n, lower.begin());
      factor(lower.data(), n);
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
          const std::int64_t row = upper_ ? j : i, column = upper_ ? i : j;
          y[i * n + j] = column <= row ? lower[static_cast<std::size_t>(row * n + column)] : 0.0F;
        }
    }
  }

 private:
  static void factor(float* a, std::int64_t n) {
    for (std::int64_t k = 0; k < n; ++k) {
      const float* line = a + k * n;
      float rest = line[k];
      float squares = 0;
      for (std::int64_t j = 0; j < k; ++j) squares += line[j] * line[j];
      rest -= squares;
      if (rest <= 0.0F) return;
      a[k * n + k] = rest = std::sqrt(rest);
      for (std::int64_t i = k + 1; i < n; ++i) {
        float* below = a + i * n;
        float dot = 0;
        for (std::int64_t j = 0; j < k; ++j) dot += below[j] * line[j];
        below[k] = (below[k] - dot) / rest;
      }
    }
  }

  bool upper_;
};

constexpr OperatorDefinition kOperators[] = {
    {"Determinant", make_operator<Determinant>},
    {"Inverse", make_operator<Inverse>},
    {"Cholesky", make_operator<Cholesky>},
};

}  // namespace

OperatorFamily matrix_operators() { return kOperators; }

}  // namespace noren::worker
