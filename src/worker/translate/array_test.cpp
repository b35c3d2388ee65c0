// What the layers on arrays refuse: hostile sizes, before anything of that size is made, and shapes that
// don't fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/limits.h"
#include "worker/translate/translate.h"

namespace noren::worker {
namespace {

using ::testing::HasSubstr;
using Integers = std::vector<std::int64_t>;

/// A network of one function between inputs of these shapes and `outputs` outputs.
Result<TranslatedExecutor> translated(const std::string& type, const std::vector<Shape>& inputs,
                                      const Arguments& arguments, std::size_t outputs = 1) {
  Executor executor{.name = "executor"};
  Function function{.name = "it", .type = type, .arguments = arguments};
  for (const Shape& shape : inputs) {
    const std::string name = "x" + std::to_string(function.inputs.size());
    function.inputs.push_back(name);
    executor.network.variables[name] = {.shape = shape};
    executor.inputs.push_back(
        {.variable = name, .data_name = name, .shape = shape, .has_batch_axis = shape[0] == 1});
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    const std::string name = "y" + std::to_string(i);
    function.outputs.push_back(name);
    executor.outputs.push_back({.variable = name, .data_name = name, .source = name});
  }
  executor.network.functions.push_back(function);
  ModelFile file;
  file.executors.push_back(executor);
  return translate_executor(file, file.executors.front());
}

void expect_refused(const Result<TranslatedExecutor>& result, const std::string& type) {
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().text, HasSubstr("layer 'it' (" + type + ")"));
}

constexpr std::int64_t kHuge = 1'000'000'000;
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

TEST(ArrayLayers, OperatorsOfOursAreSaidToRunOnTheCpu) {
  const auto own = translated("BatchInv", {{1, 3, 3}}, {});
  ASSERT_TRUE(own.ok());
  ASSERT_EQ(own->warnings.size(), 1u);
  EXPECT_THAT(own->warnings[0],
              HasSubstr("on a GPU these layers run on the CPU, with copies in between: BatchInv"));
  const auto standard = translated("Tanh", {{1, 3, 3}}, {});
  ASSERT_TRUE(standard.ok());
  EXPECT_TRUE(standard->warnings.empty());
}

TEST(ArrayLayers, RefuseHostileSizes) {
  const auto list = [](const char* name, Integers values) {
    return Arguments().set(name, std::move(values));
  };
  expect_refused(translated("Tile", {{1, 8}}, list("reps", {kHuge, kHuge, kHuge})), "Tile");
  expect_refused(translated("Tile", {{1, 8}}, list("reps", {kLargest})), "Tile");
  expect_refused(translated("Broadcast", {{1, 1}}, list("shape", {kHuge, kHuge})), "Broadcast");
  expect_refused(
      translated("Reshape", {{1, 8}}, list("shape", {kLargest, kLargest, -1}).set("inplace", true)),
      "Reshape");
  expect_refused(translated("OneHot", {{1, 2}}, list("shape", {kHuge, kHuge})), "OneHot");
  expect_refused(translated("Constant", {}, list("shape", {1, kHuge}).set("val", 1.0)), "Constant");
  expect_refused(translated("ScatterNd", {{1}, {1, 1}}, list("shape", {kHuge}).set("add", false)),
                 "ScatterNd");
  for (const char* mode : {"constant", "reflect", "repeat"})
    expect_refused(
        translated(
            "Pad", {{1, 8}},
            list("pad_width", {kHuge, kHuge}).set("mode", std::string(mode)).set("constant_value", 0.0)),
        "Pad");
}

TEST(ArrayLayers, RefuseSeriesWithoutEnd) {
  const auto arange = [](double start, double stop, double step) {
    return translated("Arange", {}, Arguments().set("start", start).set("stop", stop).set("step", step));
  };
  expect_refused(arange(0, 1, 0), "Arange");
  expect_refused(arange(1e9, 2e9, 1), "Arange");
  expect_refused(arange(0, std::numeric_limits<float>::infinity(), 1), "Arange");
  EXPECT_TRUE(arange(0, 1, 0.125).ok());
  const auto linspace = [](std::int64_t count) {
    return translated("Linspace", {}, Arguments().set("start", 0.0).set("stop", 1.0).set("num", count));
  };
  expect_refused(linspace(-1), "Linspace");
  expect_refused(linspace(limits::kTensorElementsCount + 1), "Linspace");
}

TEST(ArrayLayers, RefuseWhatTheReferenceReadsOutOfBounds) {
  const auto slice = [](std::int64_t start, std::int64_t stop, std::int64_t step) {
    return translated(
        "Slice", {{1, 6}},
        Arguments().set("start", Integers{start}).set("stop", Integers{stop}).set("step", Integers{step}));
  };
  expect_refused(slice(-9, 3, 1), "Slice");
  expect_refused(slice(6, 8, 1), "Slice");
  expect_refused(slice(8, 2, -1), "Slice");
  expect_refused(slice(2, -20, -1), "Slice");
  expect_refused(slice(0, 3, 0), "Slice");
  expect_refused(slice(std::numeric_limits<std::int64_t>::min(), 3, 1), "Slice");
  EXPECT_TRUE(slice(5, 0, -2).ok());
  expect_refused(translated("Transpose", {{1, 2, 3}}, Arguments().set("axes", Integers{0, 1, 1})),
                 "Transpose");
  expect_refused(translated("MatrixDiagPart", {{1, 2, 3}}, Arguments()), "MatrixDiagPart");
}

TEST(ArrayLayers, RefuseMoreAxesThanThereMayBe) {
  const std::vector<Shape> inputs(limits::kRankCount + 1, Shape{1});
  expect_refused(translated("Meshgrid", inputs, Arguments().set("ij_indexing", true), inputs.size()),
                 "Meshgrid");
  expect_refused(translated("MatrixDiag", {Shape(limits::kRankCount, 1)}, Arguments()), "MatrixDiag");
  EXPECT_TRUE(translated("MatrixDiag", {Shape(limits::kRankCount - 1, 1)}, Arguments()).ok());
}

TEST(ArrayLayers, KeepTheBatchWhereRowsAreIndependent) {
  const auto batchable = [](const Result<TranslatedExecutor>& result) {
    return result.ok() && result->signature.batchable;
  };
  const auto axis = [](std::int64_t value) { return Arguments().set("axis", value); };
  EXPECT_TRUE(batchable(translated("Concatenate", {{1, 2}, {1, 3}}, axis(1))));
  EXPECT_FALSE(batchable(translated("Concatenate", {{1, 2}, {1, 2}}, axis(0))));
  EXPECT_TRUE(batchable(translated("Gather", {{1, 4}, {1, 2}}, axis(1).set("batch_dims", std::int64_t{0}))));
  EXPECT_FALSE(batchable(translated("Gather", {{1, 4}, {2}}, axis(0).set("batch_dims", std::int64_t{0}))));
  EXPECT_TRUE(batchable(translated("Reshape", {{1, 6}}, Arguments().set("shape", Integers{1, 2, 3}))));
  EXPECT_FALSE(batchable(translated("Reshape", {{1, 6}}, Arguments().set("shape", Integers{2, 3}))));
  EXPECT_TRUE(batchable(translated("Softmax", {{1, 6}}, axis(-1))));
  EXPECT_FALSE(batchable(translated("Softmax", {{1, 6}}, axis(-2))));
}

}  // namespace
}  // namespace noren::worker
