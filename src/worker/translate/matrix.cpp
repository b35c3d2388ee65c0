// Layers on the matrices in the last two axes.
#include <algorithm>

#include "worker/translate/array.h"
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

/// Each row of the last axis becomes the diagonal of a matrix: element i, then as many zeros as it is long,
/// read as rows that are one element shorter.
LayerOutputs matrix_diag(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  if (x.rank() == 0) return layer.refuse("its input needs an axis");
  const std::int64_t length = x.shape.back();
  Shape column = x.shape, padded = x.shape, flat = x.shape, matrix = x.shape;
  column.push_back(1);
  padded.push_back(length + 1);
  TRY(require_size(layer, padded));
  flat.back() = length * (length + 1);
  matrix.push_back(length);
  std::vector<std::int64_t> widths(2 * column.size(), 0);
  widths.back() = length;
  const Value spaced = graph.node("Pad", {graph.reshape(x, column), graph.integers(widths)}, padded);
  const Value cut = graph.slice(graph.reshape(spaced, flat), {0}, {length * length}, {x.rank() - 1}, {1});
  return std::vector{graph.reshape(cut, matrix)};
}

/// The diagonal: every (length + 1)-th element of the matrix.
LayerOutputs matrix_diag_part(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  if (x.rank() < 2 || x.shape.back() != x.shape.end()[-2])
    return layer.refuse("its input must hold square matrices");
  const std::int64_t length = x.shape.back();
  Shape flat(x.shape.begin(), x.shape.end() - 1), diagonal = flat;
  flat.back() = length * length;
  const std::int64_t axis = x.rank() - 2;
  return std::vector{graph.reshape(
      graph.slice(graph.reshape(x, flat), {0}, {length * length}, {axis}, {length + 1}), diagonal)};
}

/// The upper or lower triangle. Like the reference it multiplies by 0 and 1, so an infinity outside becomes
/// nan.
LayerOutputs trilu(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& x = layer.input(0);
  if (x.rank() < 2) return layer.refuse("its input must hold matrices");
  const Shape matrix(x.shape.end() - 2, x.shape.end());
  const std::int64_t k = std::clamp(layer.arguments().integer("k"), -matrix[0], matrix[1]);
  const Value ones = graph.expand(graph.scalar(1.0F), matrix);
  const Value mask = graph.node("Trilu", {ones, graph.integer(k)}, matrix,
                                {{"upper", layer.arguments().boolean("upper") ? 1 : 0}});
  return std::vector{graph.multiply(x, mask)};
}

Status require_square(const Layer& layer) {
  const Value& x = layer.input(0);
  if (x.rank() == 3 && x.shape[1] == x.shape[2]) return Ok{};
  return layer.refuse("its input is " + to_string(x.shape) + ": a batch of square matrices is needed");
}

LayerOutputs determinant(Layer& layer) {
  TRY(require_square(layer));
  return std::vector{layer.graph.node("noren::Determinant", {layer.input(0)}, {layer.input(0).shape[0]})};
}

/// log |det x|
LayerOutputs log_determinant(Layer& layer) {
  ASSIGN_OR_RETURN(const std::vector<Value> outputs, determinant(layer));
  return std::vector{layer.graph.unary("Log", layer.graph.unary("Abs", outputs.front()))};
}

LayerOutputs inverse(Layer& layer) {
  TRY(require_square(layer));
  return std::vector{layer.graph.unary("noren::Inverse", layer.input(0))};
}

LayerOutputs cholesky(Layer& layer) {
  TRY(require_square(layer));
  return std::vector{layer.graph.unary("noren::Cholesky", layer.input(0),
                                       {{"upper", layer.arguments().boolean("upper") ? 1 : 0}})};
}

constexpr Rows kRows = Rows::kIndependent;
constexpr LayerDefinition kLayers[] = {
    {"MatrixDiag", 1, 1, kRows, matrix_diag},
    {"MatrixDiagPart", 1, 1, kRows, matrix_diag_part},
    {"Trilu", 1, 1, kRows, trilu},
    {"BatchDet", 1, 1, kRows, determinant},
    {"BatchLogdet", 1, 1, kRows, log_determinant},
    {"BatchInv", 1, 1, kRows, inverse},
    {"BatchCholesky", 1, 1, kRows, cholesky},
};

}  // namespace

LayerFamily matrix_layers() { return kLayers; }

}  // namespace noren::worker
