#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <cmath>

#include "worker/engine/package.h"
#include "worker/import/import.h"
#include "worker/import/onnx_analysis.h"
#include "worker/import/onnx_builder.h"
#include "worker/import/onnx_import.h"
#include "worker/import/onnx_rows.h"
#include "worker/import/verify.h"

namespace noren::worker {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

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

ExecutorSignature signature_of(const OnnxBuilder& builder) {
  const auto file = read_onnx(builder.bytes());
  EXPECT_TRUE(file.ok());
  auto signature = file.ok() ? signature_of_onnx(*file, {}) : OnnxSignature{};
  EXPECT_TRUE(signature.ok());
  return signature.ok() ? std::move(signature->executor) : ExecutorSignature{};
}

/// What the graph alone tells: no trial stands behind it.
std::string refusal(const OnnxBuilder& builder) {
  return analyse_onnx(builder.bytes(), signature_of(builder)).not_batchable_reason;
}

auto names(const std::string& output, const std::string& op) {
  return HasSubstr("node '" + output + "' (" + op + ") is not known to keep the rows of a batch apart");
}

using Lists = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;
using Numbers = std::vector<std::pair<std::string, std::int64_t>>;

/// x [N, 6] and a y of which nothing is said but that its first axis is free: only the graph can refuse it.
OnnxBuilder from_table(const Shape& output = {-1, -2}) {
  return OnnxBuilder().input("x", {-1, 6}).output("y", output);
}

/// x [N, 2, 6, 6].
OnnxBuilder from_maps() { return OnnxBuilder().input("x", {-1, 2, 6, 6}).output("y", {-1, -2, -2, -2}); }

OnnxBuilder one_node(const std::string& op, const Lists& lists = {}, const Numbers& numbers = {}) {
  return from_table().node(op, {"x"}, "y", lists, numbers);
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
  EXPECT_THAT(refusal(one_node("Softmax", {}, {{"axis", 0}})), names("y", "Softmax"));
  EXPECT_THAT(refusal(one_node("ReduceMean", {{"axes", {0}}})), names("y", "ReduceMean"));
  EXPECT_THAT(refusal(one_node("ReduceMean")), names("y", "ReduceMean"));
  EXPECT_THAT(refusal(one_node("ReduceMean", {{"axes", {1, -2}}})), names("y", "ReduceMean"));
  EXPECT_THAT(refusal(from_table().integers("axis", {0}).node("CumSum", {"x", "axis"}, "y")),
              names("y", "CumSum"));
  EXPECT_THAT(refusal(one_node("Flatten", {}, {{"axis", 0}})), names("y", "Flatten"));
  const OnnxBuilder column = OnnxBuilder().input("x", {-1, 1}).output("y", {-1, -2});
  EXPECT_THAT(refusal(OnnxBuilder(column).node("Transpose", {"x"}, "y")), names("y", "Transpose"));
  EXPECT_THAT(refusal(OnnxBuilder(column).node("Transpose", {"x"}, "y", {{"perm", {1, 0}}})),
              names("y", "Transpose"));
  EXPECT_TRUE(is_batchable(one_node("Softmax", {}, {{"axis", -1}})));
  EXPECT_TRUE(is_batchable(one_node("ReduceMean", {{"axes", {1}}})));
  EXPECT_TRUE(is_batchable(one_node("Transpose", {{"perm", {0, 1}}})));
}

TEST(OnnxRows, PiecesOfRowsAreNotBatched) {
  EXPECT_THAT(refusal(from_table().integers("i", {0}).node("Gather", {"x", "i"}, "y")), names("y", "Gather"));
  EXPECT_THAT(refusal(from_table().integers("s", {1}).node("Split", {"x", "s"}, "y")), names("y", "Split"));
  const OnnxBuilder bounds = from_table().integers("a", {0}).integers("b", {1}).integers("axes", {0});
  EXPECT_THAT(refusal(OnnxBuilder(bounds).node("Slice", {"x", "a", "b", "axes"}, "y")), names("y", "Slice"));
  EXPECT_THAT(refusal(OnnxBuilder(bounds).node("Slice", {"x", "a", "b"}, "y")), names("y", "Slice"));
  EXPECT_THAT(refusal(from_table().integers("p", {1, 0, -1, 0}).node("Pad", {"x", "p"}, "y")),
              names("y", "Pad"));
  EXPECT_THAT(refusal(from_table().node("Concat", {"x"}, "y", {}, {{"axis", 0}})), names("y", "Concat"));
  EXPECT_THAT(refusal(from_table().node("Concat", {"x", "x"}, "y", {}, {{"axis", -2}})),
              names("y", "Concat"));
  EXPECT_THAT(refusal(from_table().weight("c", {1, 6}).node("Concat", {"x", "c"}, "y", {}, {{"axis", 1}})),
              names("y", "Concat"))
      << "c has one row";
  EXPECT_TRUE(
      is_batchable(from_table().integers("i", {0, 3}).node("Gather", {"x", "i"}, "y", {}, {{"axis", 1}})));
  EXPECT_TRUE(is_batchable(from_table()
                               .integers("s", {2, 4})
                               .node("Split", {"x", "s"}, "a", {}, {{"axis", 1}})
                               .also("b")
                               .node("Concat", {"b", "a"}, "y", {}, {{"axis", 1}})));
  EXPECT_TRUE(is_batchable(from_table()
                               .integers("a", {1})
                               .integers("b", {4})
                               .integers("axes", {-1})
                               .node("Slice", {"x", "a", "b", "axes"}, "y")));
  EXPECT_TRUE(is_batchable(from_table().integers("p", {0, 1, 0, 2}).node("Pad", {"x", "p"}, "y")));
}

/// x [N, 2, 6, 6] and, at each use, the number of its rows as a scalar "n", as exporters read it.
OnnxBuilder with_rows_count() {
  return OnnxBuilder()
      .input("x", {-1, 2, 6, 6})
      .output("y", {-1, -2})
      .integer("zero", 0)
      .integer("one", 1)
      .integers("first", {0})
      .integers("rest", {-1})
      .node("Shape", {"x"}, "shape")
      .node("Gather", {"shape", "zero"}, "n")
      .node("Unsqueeze", {"n", "first"}, "ns");
}

TEST(OnnxRows, AViewByTheLengthsOfItsInputIsBatched) {
  const OnnxBuilder view = with_rows_count();
  EXPECT_TRUE(is_batchable(OnnxBuilder(view)
                               .node("Concat", {"ns", "rest"}, "target", {}, {{"axis", 0}})
                               .node("Reshape", {"x", "target"}, "y")));
  EXPECT_TRUE(is_batchable(OnnxBuilder(view)
                               .integers("two", {2})
                               .integers("end", {9})
                               .node("Slice", {"shape", "two", "end"}, "hw")
                               .node("Gather", {"hw", "zero"}, "h")
                               .node("Gather", {"hw", "one"}, "w")
                               .node("Mul", {"h", "w"}, "area")
                               .node("Add", {"area", "area"}, "values")
                               .node("Unsqueeze", {"values", "first"}, "vs")
                               .node("Concat", {"ns", "vs"}, "target", {}, {{"axis", 0}})
                               .node("Reshape", {"x", "target"}, "y", {}, {{"allowzero", 1}})))
      << "[N, 2 * 36] in the end";
  EXPECT_TRUE(is_batchable(OnnxBuilder(view)
                               .node("Shape", {"x"}, "n_only", {}, {{"start", 0}, {"end", 1}})
                               .node("Concat", {"n_only", "rest"}, "target", {}, {{"axis", 0}})
                               .node("Reshape", {"x", "target"}, "y")));
}

TEST(OnnxRows, ARowsCountThatIsMoreThanALengthIsNotBatched) {
  const OnnxBuilder view = with_rows_count();
  EXPECT_THAT(refusal(OnnxBuilder(view)
                          .node("Concat", {"rest", "ns"}, "target", {}, {{"axis", 0}})
                          .node("Reshape", {"x", "target"}, "y")),
              names("y", "Reshape"))
      << "of one sample [72, 1]";
  EXPECT_THAT(refusal(OnnxBuilder(view)
                          .integers("two", {2})
                          .node("Mul", {"ns", "two"}, "twice")
                          .node("Concat", {"twice", "rest"}, "target", {}, {{"axis", 0}})
                          .node("Reshape", {"x", "target"}, "y")),
              names("twice", "Mul"));
  EXPECT_THAT(refusal(OnnxBuilder(view)
                          .node("Cast", {"n"}, "count", {}, {{"to", onnx::TensorProto::FLOAT}})
                          .node("Div", {"x", "count"}, "y")),
              names("count", "Cast"))
      << "a mean over the batch";
  EXPECT_THAT(refusal(OnnxBuilder(view)
                          .node("Flatten", {"x"}, "f")
                          .node("Concat", {"ns", "ns"}, "repeats", {}, {{"axis", 0}})
                          .node("Tile", {"f", "repeats"}, "y")),
              names("y", "Tile"));
}

TEST(OnnxRows, LengthsInATableAreNotFollowed) {
  // The table is [[9, 1], [N, -1]], and its second column makes one row of the whole batch.
  const std::vector<std::int64_t> to_table = {0, 1};
  OnnxBuilder table = with_rows_count();
  table.integer("nine", 9).integer("rest_scalar", -1).node("Unsqueeze", {"n", "both"}, "n11");
  table.integers("both", to_table)
      .node("Unsqueeze", {"nine", "both"}, "nine11")
      .node("Unsqueeze", {"one", "both"}, "one11")
      .node("Unsqueeze", {"rest_scalar", "both"}, "rest11")
      .node("Concat", {"nine11", "n11"}, "left", {}, {{"axis", 0}})
      .node("Concat", {"one11", "rest11"}, "right", {}, {{"axis", 0}})
      .node("Concat", {"left", "right"}, "table", {}, {{"axis", 1}})
      .node("Gather", {"table", "one"}, "target", {}, {{"axis", 1}})
      .node("Reshape", {"x", "target"}, "flat")
      .node("Softmax", {"flat"}, "mixed", {}, {{"axis", 1}})
      .integers("rows", {-1, 72})
      .node("Reshape", {"mixed", "rows"}, "y");
  EXPECT_THAT(refusal(table), names("n11", "Unsqueeze"));
  EXPECT_THAT(refusal(OnnxBuilder(11)
                          .input("x", {-1, 6})
                          .output("y", {-1, -2})
                          .integer("zero", 0)
                          .node("Shape", {"x"}, "shape")
                          .node("Gather", {"shape", "zero"}, "n")
                          .node("Unsqueeze", {"n"}, "n11", {{"axes", to_table}})
                          .node("Reshape", {"x", "n11"}, "y")),
              names("n11", "Unsqueeze"))
      << "as older opsets say it";
  EXPECT_TRUE(is_batchable(OnnxBuilder(11)
                               .input("x", {-1, 2, 3})
                               .output("y", {-1, -2})
                               .integer("zero", 0)
                               .integers("rest", {-1})
                               .node("Shape", {"x"}, "shape")
                               .node("Gather", {"shape", "zero"}, "n")
                               .node("Unsqueeze", {"n"}, "ns", {{"axes", {0}}})
                               .node("Concat", {"ns", "rest"}, "target", {}, {{"axis", 0}})
                               .node("Reshape", {"x", "target"}, "y")));
}

TEST(OnnxRows, ProductsOverRowsAreNotBatched) {
  EXPECT_THAT(refusal(from_table().weight("W", {1, 1}).node("MatMul", {"W", "x"}, "y")), names("y", "MatMul"))
      << "sums over the rows";
  EXPECT_THAT(refusal(OnnxBuilder()
                          .input("x", {-1, 3, 6})
                          .output("y", {-1, -2, -2})
                          .weight("W", {1, 6, 5})
                          .node("MatMul", {"x", "W"}, "y")),
              names("y", "MatMul"));
  const OnnxBuilder columns =
      OnnxBuilder().input("x", {-1, 1}).input("z", {-1, 1}).output("y", {-1, -2}).weight("W", {1, 5});
  EXPECT_THAT(refusal(OnnxBuilder(columns).node("MatMul", {"x", "z"}, "y")), names("y", "MatMul"));
  EXPECT_THAT(refusal(OnnxBuilder(columns).node("Gemm", {"x", "z"}, "y")), names("y", "Gemm"));
  EXPECT_THAT(refusal(OnnxBuilder(columns).node("Gemm", {"x", "W"}, "y", {}, {{"transA", 1}})),
              names("y", "Gemm"));
  EXPECT_THAT(refusal(OnnxBuilder(columns).weight("A", {1, 1}).node("Gemm", {"A", "W", "x"}, "y")),
              names("y", "Gemm"));
  EXPECT_TRUE(is_batchable(from_table().weight("W", {6, 5}).node("MatMul", {"x", "W"}, "y")));
  EXPECT_TRUE(
      is_batchable(from_table().weight("W", {6, 5}).weight("c", {1, 5}).node("Gemm", {"x", "W", "c"}, "y")));
}

TEST(OnnxRows, AxesBeforeTheRowsAreNotBatched) {
  const OnnxBuilder stack = OnnxBuilder().input("x", {-1, 1, 6}).output("y", {-1, -2}).integers("first", {0});
  EXPECT_THAT(refusal(OnnxBuilder(stack).node("Squeeze", {"x", "first"}, "y")), names("y", "Squeeze"));
  EXPECT_THAT(refusal(OnnxBuilder(stack).node("Squeeze", {"x"}, "y")), names("y", "Squeeze"));
  EXPECT_THAT(refusal(from_table({-1, -2, -2}).integers("first", {0}).node("Unsqueeze", {"x", "first"}, "y")),
              names("y", "Unsqueeze"));
  EXPECT_THAT(
      refusal(from_table({-1, -2, -2}).integers("first", {-3}).node("Unsqueeze", {"x", "first"}, "y")),
      names("y", "Unsqueeze"));
  EXPECT_TRUE(is_batchable(OnnxBuilder(stack).integers("second", {1}).node("Squeeze", {"x", "second"}, "y")));
  EXPECT_TRUE(
      is_batchable(from_table({-1, -2, -2}).integers("last", {-1}).node("Unsqueeze", {"x", "last"}, "y")));
}

TEST(OnnxRows, MapsThatGrowAcrossRowsAreNotBatched) {
  EXPECT_THAT(
      refusal(from_maps().integers("sizes", {1, 2, 9, 9}).node("Resize", {"x", "", "", "sizes"}, "y")),
      names("y", "Resize"));
  EXPECT_THAT(refusal(from_maps().floats("s", {1.5, 1, 2, 2}).node("Resize", {"x", "", "s"}, "y")),
              names("y", "Resize"))
      << "one row stays one: 1.5 is rounded down";
  EXPECT_THAT(refusal(from_maps().node("MaxPool", {"x"}, "y", {{"kernel_shape", {2, 2}}}).also("where")),
              names("y", "MaxPool"))
      << "where a value was is counted over all rows";
  EXPECT_TRUE(is_batchable(from_maps().floats("s", {1, 1, 2, 2}).node("Resize", {"x", "", "s"}, "y")));
  EXPECT_TRUE(is_batchable(from_maps().node("MaxPool", {"x"}, "y", {{"kernel_shape", {2, 2}}})));
}

TEST(OnnxRows, NormalisationOverRowsIsNotBatched) {
  // By hand: alone, every answer is 0.
  EXPECT_THAT(
      refusal(from_table().node("ReduceMean", {"x"}, "m", {{"axes", {0}}}).node("Sub", {"x", "m"}, "y")),
      names("m", "ReduceMean"));
  EXPECT_THAT(refusal(OnnxBuilder()
                          .input("x", {-1, 1})
                          .output("y", {-1, -2})
                          .weight("one", {1})
                          .node("BatchNormalization", {"x", "one", "one", "one", "one"}, "y", {},
                                {{"training_mode", 1}})
                          .also("m")
                          .also("v")),
              names("y", "BatchNormalization"));
  const auto normalised = [](const Shape& scale, std::int64_t axis) {
    return from_table().weight("s", scale).node("LayerNormalization", {"x", "s"}, "y", {}, {{"axis", axis}});
  };
  EXPECT_THAT(refusal(normalised({1, 6}, 0)), names("y", "LayerNormalization"));
  EXPECT_THAT(refusal(normalised({1, 6}, -2)), names("y", "LayerNormalization"));
  EXPECT_TRUE(is_batchable(normalised({6}, -1)));
}

TEST(OnnxRows, WhatDrawsIsNotBatched) {
  EXPECT_THAT(refusal(one_node("RandomNormalLike")), names("y", "RandomNormalLike"));
  EXPECT_THAT(refusal(one_node("Bernoulli")), names("y", "Bernoulli"));
  EXPECT_THAT(
      refusal(from_table().node("RandomNormal", {}, "r", {{"shape", {1, 6}}}).node("Add", {"x", "r"}, "y")),
      names("r", "RandomNormal"));
  EXPECT_THAT(refusal(from_table().truth("yes").node("Dropout", {"x", "", "yes"}, "y")),
              names("y", "Dropout"));
  EXPECT_THAT(refusal(from_table()
                          .weight("W", {1, 6})
                          .truth("yes")
                          .node("Dropout", {"W", "", "yes"}, "d")
                          .node("Add", {"x", "d"}, "y")),
              names("d", "Dropout"));
  EXPECT_TRUE(is_batchable(one_node("Dropout")));
}

TEST(OnnxRows, InnerGraphsAreNotBatched) {
  const OnnxBuilder branch =
      OnnxBuilder().output("m", {1, 6}).node("ReduceMean", {"x"}, "m", {{"axes", {0}}});
  EXPECT_THAT(refusal(from_table()
                          .truth("yes")
                          .node("If", {"yes"}, "y")
                          .inner("then_branch", branch)
                          .inner("else_branch", branch)),
              names("y", "If"));
  const OnnxBuilder body = OnnxBuilder()
                               .input("turn", {}, onnx::TensorProto::INT64)
                               .input("goes", {}, onnx::TensorProto::BOOL)
                               .input("in", {-1, 6})
                               .output("on", {}, onnx::TensorProto::BOOL)
                               .output("out", {-1, 6})
                               .node("Identity", {"goes"}, "on")
                               .node("Relu", {"in"}, "out");
  EXPECT_THAT(refusal(from_table()
                          .integer("turns", 2)
                          .truth("yes")
                          .node("Loop", {"turns", "yes", "x"}, "y")
                          .inner("body", body)),
              names("y", "Loop"));
}

TEST(OnnxRows, ConstantsUnderTheRowsAreNotBatched) {
  const auto sum = [](const Shape& constant) {
    return OnnxBuilder()
        .input("x", {-1, 3, 6})
        .output("y", {-1, -2, -2})
        .weight("c", constant)
        .node("Add", {"x", "c"}, "y");
  };
  EXPECT_TRUE(is_batchable(sum({6})));
  EXPECT_TRUE(is_batchable(sum({3, 1})));
  EXPECT_TRUE(is_batchable(sum({1, 3, 6})));
  EXPECT_THAT(refusal(sum({2, 3, 6})), names("y", "Add"));
  EXPECT_THAT(refusal(sum({1, 1, 3, 6})), names("y", "Add"));
  EXPECT_THAT(refusal(OnnxBuilder()
                          .input("x", {-1, 3, 6})
                          .input("c", {-1, 6})
                          .output("y", {-1, -2, -2})
                          .node("Add", {"x", "c"}, "y")),
              names("y", "Add"))
      << "the rows of c lie under the second axis of x";
}

TEST(OnnxRows, FurtherOutputsOfWhatIsFixedHaveAShapeToo) {
  // The second piece of W lays the rows along the second axis, and the last node lays them back.
  EXPECT_THAT(refusal(from_table()
                          .weight("W", {2, 1, 6})
                          .integers("shape", {-1, 6})
                          .node("Split", {"W"}, "s0")
                          .also("s1")
                          .node("Add", {"x", "s1"}, "a")
                          .node("ReduceMean", {"a"}, "m", {{"axes", {1}}})
                          .node("Reshape", {"m", "shape"}, "y")),
              names("a", "Add"));
}

TEST(OnnxRows, ValuesOfUnknownShapeAreNotBatched) {
  OnnxBuilder builder =
      from_table().weight("W", {2}).node("Identity", {"W"}, "s").node("Add", {"x", "s"}, "y");
  const ExecutorSignature executor = signature_of(builder);
  const GraphShapes known = {{"x", {1, 6}}, {"W", {6}}, {"s", {6}}, {"y", {1, 6}}};
  EXPECT_THAT(why_rows_depend(builder.model(), known, executor), IsEmpty());
  GraphShapes missing = known, without_axes = known, free = known;
  missing.erase("s");
  without_axes["s"] = {};
  free["y"] = {-1, 6};
  EXPECT_THAT(why_rows_depend(builder.model(), missing, executor), names("y", "Add"));
  EXPECT_THAT(why_rows_depend(builder.model(), without_axes, executor), names("y", "Add"));
  EXPECT_THAT(why_rows_depend(builder.model(), free, executor), names("y", "Add"));
}

TEST(OnnxRows, ShapesThatTakeRowsApartAreNotBatched) {
  const auto reshaped = [](const std::vector<std::int64_t>& shape) {
    return OnnxBuilder()
        .input("x", {-1, 3, 6})
        .output("y", {-1, -2})
        .integers("shape", shape)
        .node("Reshape", {"x", "shape"}, "y");
  };
  EXPECT_TRUE(is_batchable(reshaped({-1, 18})));
  EXPECT_TRUE(is_batchable(reshaped({0, -1})));
  EXPECT_THAT(refusal(reshaped({-1, 6})), names("y", "Reshape")) << "three rows for each request";
  EXPECT_THAT(refusal(reshaped({3, -1})), names("y", "Reshape"));
  EXPECT_THAT(refusal(reshaped({1, -1})), names("y", "Reshape"));
}

TEST(OnnxRows, NodesOutOfOrderAreToldSo) {
  OnnxBuilder builder = from_table().node("Relu", {"r"}, "y").node("Relu", {"x"}, "r");
  const GraphShapes shapes = {{"x", {1, 6}}, {"r", {1, 6}}, {"y", {1, 6}}};
  EXPECT_EQ(why_rows_depend(builder.model(), shapes, signature_of(builder)),
            "node 'y' (Relu) reads 'r', which no node before it writes");
}

TEST(OnnxRows, PortsWithoutABatchAreNotBatched) {
  const auto relu = [](const Shape& input, const Shape& output) {
    return OnnxBuilder().input("x", input).output("y", output).node("Relu", {"x"}, "y");
  };
  EXPECT_THAT(refusal(relu({1, 6}, {1, 6})), HasSubstr("input 'x' has no free first axis"));
  EXPECT_THAT(refusal(relu({-1, -2}, {-1, -2})), HasSubstr("input 'x' has more free axes than the first"));
  EXPECT_THAT(refusal(relu({-1, 0}, {-1, 0})), HasSubstr("input 'x' has an axis of length 0"));
  EXPECT_TRUE(is_batchable(relu({-1, 6}, {-1, 6})));
}

TEST(OnnxRows, ATrialOfWhichAllAnswersAreAlikeShowsNothing) {
  const OnnxBuilder constant = from_table().node("Sub", {"x", "x"}, "y");
  const OnnxBuilder undefined =
      from_table().node("Abs", {"x"}, "a").node("Neg", {"a"}, "n").node("Log", {"n"}, "y");
  const auto reason_of = [](const OnnxBuilder& builder) {
    return std::string(executor_of(import(builder)).at("not_batchable_reason").as_string());
  };
  EXPECT_FALSE(is_batchable(constant));
  EXPECT_THAT(
      reason_of(constant),
      HasSubstr("a trial can't show that rows are independent: output 'y' is the same for all samples"));
  EXPECT_FALSE(is_batchable(undefined));
  EXPECT_THAT(reason_of(undefined),
              HasSubstr("a trial can't show that rows are independent: output 'y' is not finite"));
  for (const OnnxBuilder& builder : {constant, undefined}) {
    ExecutorSignature executor = signature_of(builder);
    executor.batchable = true;
    const auto translated = verify_model(builder.bytes(), executor, Proof::kTranslation);
    ASSERT_TRUE(translated.ok());
    EXPECT_TRUE(translated->rows_independent) << "the translation has shown it";
  }
}

TEST(OnnxRows, ATrialThatAnswersOtherwiseSaysSo) {
  // As if a graph had passed that mixes rows.
  const OnnxBuilder mixing =
      from_table().node("ReduceMean", {"x"}, "m", {{"axes", {0}}}).node("Add", {"x", "m"}, "y");
  ExecutorSignature executor = signature_of(mixing);
  executor.batchable = true;
  for (const Proof proof : {Proof::kTranslation, Proof::kTrial}) {
    const auto verification = verify_model(mixing.bytes(), executor, proof);
    ASSERT_TRUE(verification.ok());
    EXPECT_FALSE(verification->rows_independent);
    EXPECT_EQ(verification->not_batchable_reason, "a trial batch answered otherwise");
  }
}

}  // namespace
}  // namespace noren::worker
