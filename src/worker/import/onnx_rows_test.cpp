#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <cmath>

#include "worker/engine/package.h"
#include "worker/import/import.h"
#include "worker/import/onnx_builder.h"

namespace noren::worker {
namespace {

using testing::HasSubstr;

Imported import(const OnnxBuilder& builder) {
  auto imported = import_model(builder.bytes(), {.file_name = "m.onnx"});
  EXPECT_TRUE(imported.ok()) << (imported.ok() ? "" : imported.error().text);
  return imported.ok() ? std::move(*imported) : Imported{};
}

boost::json::object executor_of(const Imported& imported) {
  const auto description = boost::json::parse(imported.description_json).as_object();
  return description.at("executors").as_array()[0].as_object();
}

bool is_batchable(const OnnxBuilder& builder) {
  const auto executor = executor_of(import(builder));
  EXPECT_NE(executor.at("batchable").as_bool(), executor.contains("not_batchable_reason"));
  return executor.at("batchable").as_bool();
}

std::string reason(const OnnxBuilder& builder) {
  const auto executor = executor_of(import(builder));
  return executor.contains("not_batchable_reason")
             ? std::string(executor.at("not_batchable_reason").as_string())
             : "";
}

/// x [N, 6] through one node to y.
OnnxBuilder one_node(const std::string& op, const Shape& output,
                     const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& lists = {},
                     const std::vector<std::pair<std::string, std::int64_t>>& numbers = {},
                     std::int64_t opset = 17) {
  return OnnxBuilder(opset).input("x", {-1, 6}).output("y", output).node(op, {"x"}, "y", lists, numbers);
}

/// A small picture network, as exporters write one.
OnnxBuilder network() {
  return OnnxBuilder()
      .input("x", {-1, 2, 6, 6})
      .output("y", {-1, 5})
      .output("z", {-1, 4, 4, 4})
      .weight("W", {4, 2, 3, 3})
      .weight("scale", {4})
      .weight("shift", {4, 1, 1})
      .weight("M", {64, 5})
      .integers("shape", {-1, 64})
      .node("Conv", {"x", "W"}, "a")
      .node("BatchNormalization", {"a", "scale", "scale", "scale", "scale"}, "n")
      .node("Add", {"n", "shift"}, "s")
      .node("Relu", {"s"}, "z")
      .node("Reshape", {"z", "shape"}, "f")
      .node("MatMul", {"f", "M"}, "g")
      .node("Softmax", {"g"}, "y", {}, {{"axis", 1}});
}

TEST(OnnxRows, ABatchAnswersAsItsRequestsDoAlone) {
  const Imported imported = import(network());
  ASSERT_TRUE(executor_of(imported).at("batchable").as_bool()) << imported.description_json;
  auto model = ServableModel::open(imported.package, EngineOptions{});
  ASSERT_TRUE(model.ok());
  std::vector<std::vector<Tensor>> rows;
  for (int row = 0; row < 7; ++row) {
    Tensor x(ElementType::kFloat32, {1, 2, 6, 6});
    for (std::int64_t i = 0; i < x.count(); ++i)
      x.data<float>()[i] = static_cast<float>((i * 7 + row * 5) % 11 - 5) / 8;
    rows.emplace_back();
    rows.back().push_back(std::move(x));
  }
  const auto together = (*model)->run_batch(0, rows);
  ASSERT_TRUE(together.ok());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto alone = (*model)->run(0, rows[row]);
    ASSERT_TRUE(alone.ok());
    for (std::size_t output = 0; output < alone->size(); ++output)
      for (std::int64_t i = 0; i < (*alone)[output].count(); ++i) {
        const float wanted = (*alone)[output].data<float>()[i];
        EXPECT_NEAR((*together)[row][output].data<float>()[i], wanted, 1e-6 + 1e-5 * std::abs(wanted));
      }
  }
}

TEST(OnnxRows, OperatorsAcrossRowsAreNotBatched) {
  EXPECT_THAT(reason(one_node("Softmax", {-1, 6}, {}, {{"axis", 0}})), HasSubstr("(Softmax)"));
  EXPECT_FALSE(is_batchable(one_node("ReduceMean", {1, 6}, {{"axes", {0}}})));
  EXPECT_FALSE(is_batchable(one_node("ReduceMean", {1, 1})));
  EXPECT_FALSE(is_batchable(one_node("ReduceMean", {-1, 1}, {{"axes", {1, -2}}})));
  EXPECT_FALSE(is_batchable(OnnxBuilder()
                                .input("x", {-1, 6})
                                .output("y", {-1, 6})
                                .integers("axis", {0})
                                .node("CumSum", {"x", "axis"}, "y")));
  EXPECT_FALSE(is_batchable(one_node("Transpose", {6, -1})));
  EXPECT_FALSE(is_batchable(one_node("RandomNormalLike", {-1, 6})));
  EXPECT_FALSE(is_batchable(one_node("Flatten", {1, -1}, {}, {{"axis", 0}})));
  EXPECT_TRUE(is_batchable(one_node("Softmax", {-1, 6}, {}, {{"axis", -1}})));
  EXPECT_TRUE(is_batchable(one_node("ReduceMean", {-1, 1}, {{"axes", {1}}})));
  EXPECT_TRUE(is_batchable(one_node("Transpose", {-1, 6}, {{"perm", {0, 1}}})));
}

TEST(OnnxRows, WhatMixesRowsBySubtractingTheirMeanIsNotBatched) {
  // Batch normalisation by hand: alone, every answer is 0.
  EXPECT_THAT(reason(OnnxBuilder()
                         .input("x", {-1, 6})
                         .output("y", {-1, 6})
                         .node("ReduceMean", {"x"}, "m", {{"axes", {0}}})
                         .node("Sub", {"x", "m"}, "y")),
              HasSubstr("node 'm' (ReduceMean) is not known to keep the rows of a batch apart"));
  EXPECT_FALSE(is_batchable(
      OnnxBuilder()
          .input("x", {-1, 6})
          .output("y", {-1, 6})
          .weight("one", {6})
          .node("BatchNormalization", {"x", "one", "one", "one", "one"}, "y", {}, {{"training_mode", 1}})
          .also("m")
          .also("v")));
}

TEST(OnnxRows, ConstantsUnderTheRowsAreNotBatched) {
  const auto sum = [](const Shape& constant) {
    return OnnxBuilder()
        .input("x", {-1, 3, 6})
        .output("y", {-1, 3, 6})
        .weight("c", constant)
        .node("Add", {"x", "c"}, "y");
  };
  EXPECT_TRUE(is_batchable(sum({6})));
  EXPECT_TRUE(is_batchable(sum({3, 1})));
  EXPECT_TRUE(is_batchable(sum({1, 3, 6})));
  EXPECT_FALSE(is_batchable(sum({2, 3, 6})));
  EXPECT_FALSE(is_batchable(OnnxBuilder()
                                .input("x", {-1, 3, 6})
                                .input("c", {-1, 6})
                                .output("y", {-2, -1, 6})
                                .node("Add", {"x", "c"}, "y")))
      << "the rows of c lie under the second axis of x";
}

TEST(OnnxRows, ShapesThatTakeRowsApartAreNotBatched) {
  const auto reshaped = [](const std::vector<std::int64_t>& shape, const Shape& output) {
    return OnnxBuilder()
        .input("x", {-1, 3, 6})
        .output("y", output)
        .integers("shape", shape)
        .node("Reshape", {"x", "shape"}, "y");
  };
  EXPECT_TRUE(is_batchable(reshaped({-1, 18}, {-1, 18})));
  EXPECT_TRUE(is_batchable(reshaped({0, -1}, {-1, 18})));
  EXPECT_FALSE(is_batchable(reshaped({-1, 6}, {-1, 6}))) << "three rows for each request";
  EXPECT_FALSE(is_batchable(reshaped({3, -1}, {3, -1})));
}

TEST(OnnxRows, PortsWithoutABatchAreNotBatched) {
  const auto relu = [](const Shape& input, const Shape& output) {
    return OnnxBuilder().input("x", input).output("y", output).node("Relu", {"x"}, "y");
  };
  EXPECT_THAT(reason(relu({1, 6}, {1, 6})), HasSubstr("input 'x' has no free first axis"));
  EXPECT_THAT(reason(relu({-1, -2}, {-1, -2})), HasSubstr("input 'x' has more free axes than the first"));
  EXPECT_TRUE(is_batchable(relu({-1, 6}, {-1, 6})));
}

}  // namespace
}  // namespace noren::worker
