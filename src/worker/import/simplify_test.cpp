// Each simplification leaves less to do, and the same answer, for one request and for three at once.
#include "worker/import/simplify.h"

#include <gtest/gtest.h>

#include <onnx/onnx_pb.h>

#include "worker/engine/engine.h"
#include "worker/translate/graph.h"

namespace noren::worker {
namespace {

using Integers = std::vector<std::int64_t>;

Tensor some_numbers(const Shape& shape, int seed) {
  Tensor tensor(ElementType::kFloat32, shape);
  for (std::int64_t i = 0; i < tensor.count(); ++i)
    tensor.data<float>()[i] = static_cast<float>((i * 7 + seed * 5) % 11 - 5) / 8;
  return tensor;
}

int count_of(ByteView bytes, std::string_view op) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  int count = 0;
  for (const auto& node : model.graph().node()) count += node.op_type() == op ? 1 : 0;
  return count;
}

Tensor answer(ByteView model, const Tensor& input) {
  const auto session = open_session(model, EngineOptions{});
  EXPECT_TRUE(session.ok()) << describe(session.error());
  const auto outputs = (*session)->run(std::span(&input, 1));
  EXPECT_TRUE(outputs.ok()) << describe(outputs.error());
  return outputs->front();
}

class Simplify : public testing::Test {
 protected:
  Value input(const Shape& shape) {
    shape_ = shape;
    return graph_.input("x", ElementType::kFloat32, shape, BatchAxis::kFirst);
  }
  Value weight(const Shape& shape) { return graph_.constant(some_numbers(shape, ++seed_)); }
  Value normalized(const Value& x) {
    const Shape channels = {x.shape[1]};
    Tensor variance = some_numbers(channels, ++seed_);
    for (std::int64_t i = 0; i < variance.count(); ++i) variance.data<float>()[i] += 1;
    return graph_.node(
        "BatchNormalization",
        {x, weight(channels), weight(channels), weight(channels), graph_.constant(std::move(variance))},
        x.shape, {{"epsilon", 0.01F}});
  }

  /// The simplified model, after it has answered as the given one did.
  Bytes simplified(const Value& y) {
    graph_.output(y, "y");
    const Bytes given = graph_.finish().value();
    const auto less = simplify_model(given, graph_.shapes());
    EXPECT_TRUE(less.ok());
    for (const std::int64_t rows : {1, 3}) {
      Shape shape = shape_;
      shape[0] = rows;
      const Tensor x = some_numbers(shape, 100);
      const Tensor want = answer(given, x), got = answer(*less, x);
      EXPECT_EQ(got.shape(), want.shape());
      for (std::int64_t i = 0; i < want.count(); ++i)
        EXPECT_NEAR(got.data<float>()[i], want.data<float>()[i], 1e-5) << rows << " rows, number " << i;
    }
    return *less;
  }

  GraphBuilder graph_;
  Shape shape_;
  int seed_ = 0;
};

TEST_F(Simplify, NormalizationGoesIntoConvolution) {
  const Value y = graph_.node("Conv", {input({1, 2, 5, 5}), weight({4, 2, 3, 3})}, {1, 4, 3, 3});
  EXPECT_EQ(count_of(simplified(normalized(y)), "BatchNormalization"), 0);
}

TEST_F(Simplify, NormalizationGoesIntoGroupsOfADeconvolution) {
  const Value y = graph_.node("ConvTranspose", {input({1, 4, 3, 3}), weight({4, 3, 2, 2}), weight({6})},
                              {1, 6, 4, 4}, {{"group", 2}});
  EXPECT_EQ(count_of(simplified(normalized(y)), "BatchNormalization"), 0);
}

TEST_F(Simplify, ScaleAndShiftGoIntoProduct) {
  Value y = graph_.node("Gemm", {input({1, 4}), weight({4, 3}), weight({3})}, {1, 3});
  y = graph_.subtract(graph_.multiply(y, weight({1, 3})), graph_.scalar(0.5F));
  const Bytes model = simplified(normalized(y));
  EXPECT_EQ(count_of(model, "Mul") + count_of(model, "Sub") + count_of(model, "BatchNormalization"), 0);
}

TEST_F(Simplify, SharedWeightsStayAsTheyAre) {
  const Value x = input({1, 3}), w = weight({3, 3});
  const Value first = graph_.node("Gemm", {x, w}, {1, 3});
  const Value second = graph_.node("Gemm", {first, w}, {1, 3});
  EXPECT_EQ(count_of(simplified(graph_.multiply(second, weight({1, 3}))), "Mul"), 1);
}

TEST_F(Simplify, ReshapesAndTransposesInARowBecomeOne) {
  const Value x = input({1, 2, 3, 4});
  const Value turned = graph_.transpose(graph_.transpose(x, {0, 2, 1, 3}), {0, 3, 1, 2});
  const Value flat = graph_.reshape(graph_.reshape(turned, {1, 6, 4}), {1, 24});
  const Bytes model = simplified(graph_.unary("Tanh", flat));
  EXPECT_EQ(count_of(model, "Transpose"), 1);
  EXPECT_EQ(count_of(model, "Reshape"), 1);
  EXPECT_EQ(count_of(model, "Identity"), 0);
}

TEST_F(Simplify, ASlicedPieceIsTakenFromWhereItWas) {
  const Value x = input({1, 2, 3});
  const Value joined = graph_.concatenate({graph_.unary("Tanh", x), graph_.unary("Sigmoid", x)}, 1);
  const Bytes model = simplified(graph_.slice(joined, {2}, {4}, {1}, {1}));
  EXPECT_EQ(count_of(model, "Slice") + count_of(model, "Concat") + count_of(model, "Tanh"), 0);
}

TEST_F(Simplify, ASliceAcrossPiecesStays) {
  const Value x = input({1, 2, 3});
  const Value joined = graph_.concatenate({graph_.unary("Tanh", x), graph_.unary("Sigmoid", x)}, 1);
  EXPECT_EQ(count_of(simplified(graph_.slice(joined, {1}, {3}, {1}, {1})), "Slice"), 1);
}

/// h = tanh([h, x_t] W + b) over the steps of x, backwards where it says so.
TEST_F(Simplify, StepsOfARecurrentLayerAreMultipliedAtOnce) {
  const Value x = input({1, 4, 3});
  const Value w = weight({5, 2}), b = weight({2});
  const std::vector<Value> steps =
      graph_.nodes("Split", {x}, std::vector<Shape>(4, Shape{1, 1, 3}), {{"axis", 1}, {"num_outputs", 4}});
  Value state = graph_.with_batch_of(graph_.constant(some_numbers({1, 2}, 50)), x);
  for (const int step : {3, 1, 2, 0}) {
    const Value row =
        graph_.concatenate({state, graph_.reshape(steps[static_cast<std::size_t>(step)], {1, 3})}, 1);
    state = graph_.unary("Tanh", graph_.node("Gemm", {row, w, b}, {1, 2}));
  }
  const Bytes model = simplified(state);
  EXPECT_EQ(count_of(model, "Gemm"), 5);
  EXPECT_LE(count_of(model, "Reshape"), 1);
}

}  // namespace
}  // namespace noren::worker
