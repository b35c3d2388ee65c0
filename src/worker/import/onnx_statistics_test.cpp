#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "worker/import/import.h"
#include "worker/import/onnx_builder.h"

namespace noren::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

boost::json::object described(const OnnxBuilder& builder) {
  const auto imported = import_model(builder.bytes(), {.file_name = "m.onnx"});
  EXPECT_TRUE(imported.ok()) << (imported.ok() ? "" : imported.error().text);
  return imported.ok() ? boost::json::parse(imported->description_json).as_object() : boost::json::object();
}

/// Output, CostParameter, CostAdd, CostMultiply, CostMultiplyAdd, CostDivision, CostExp, CostIf.
std::vector<std::int64_t> counts(const boost::json::object& description) {
  std::vector<std::int64_t> numbers;
  for (const auto& member : description.at("statistics").as_object())
    numbers.push_back(member.value().as_int64());
  return numbers;
}

TEST(OnnxStatistics, LayersCountAsThoseOfTheConsole) {
  const auto description =
      described(OnnxBuilder()
                    .input("x", {-1, 2, 8, 8})
                    .output("y", {-1, 5})
                    .weight("W", {6, 2, 3, 3})
                    .weight("b", {6})
                    .weight("M", {54, 5})
                    .weight("c", {5})
                    .node("Conv", {"x", "W", "b"}, "a")
                    .node("Relu", {"a"}, "r")
                    .node("MaxPool", {"r"}, "p", {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}})
                    .node("Flatten", {"p"}, "f")
                    .node("Gemm", {"f", "M", "c"}, "g")
                    .node("Softmax", {"g"}, "y"));
  const std::int64_t conv = 6 * 6 * 6, pool = 6 * 3 * 3;
  EXPECT_THAT(counts(description), ElementsAre(128 + 2 * conv + pool + 5 + 5, 108 + 6 + 270 + 5, conv + 5 + 5,
                                               0, conv * 18 + 270, 5, 5, conv + pool * 4));
  EXPECT_TRUE(description.at("warnings").as_array().empty());
}

TEST(OnnxStatistics, TransposedConvolutionsAndProductsCountWhatReachesAnOutput) {
  const auto description =
      described(OnnxBuilder()
                    .input("x", {-1, 4, 5, 5})
                    .output("y", {-1, 6, 11, 3})
                    .weight("W", {4, 3, 3, 3})
                    .weight("M", {11, 3})
                    .node("ConvTranspose", {"x", "W"}, "d", {{"strides", {2, 2}}}, {{"group", 2}})
                    .node("MatMul", {"d", "M"}, "y"));
  EXPECT_EQ(counts(description)[4], 6 * 121 * 2 * 9 + 6 * 11 * 3 * 11);
}

TEST(OnnxStatistics, WhatHasNoRuleIsSaid) {
  const auto description = described(OnnxBuilder()
                                         .input("x", {-1, 4})
                                         .output("y", {-1, 4})
                                         .node("Erf", {"x"}, "e")
                                         .node("Transpose", {"e"}, "y", {{"perm", {0, 1}}}));
  ASSERT_EQ(description.at("warnings").as_array().size(), 1u);
  EXPECT_THAT(std::string(description.at("warnings").as_array()[0].as_string()),
              HasSubstr("the statistics count no operations of: Erf"));
}

TEST(OnnxStatistics, LargeWeightsAreCountedThoughTheGraphIsAskedWithoutThem) {
  const auto description = described(OnnxBuilder()
                                         .input("x", {-1, 100})
                                         .output("y", {-1, 50})
                                         .weight("M", {100, 50})
                                         .node("MatMul", {"x", "M"}, "y"));
  EXPECT_EQ(counts(description)[1], 5000);
  EXPECT_EQ(counts(description)[4], 5000);
}

}  // namespace
}  // namespace noren::worker
