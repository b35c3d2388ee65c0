#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <cmath>
#include <limits>
#include <string_view>

#include "worker/import/description.h"
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

TEST(OnnxStatistics, TheListOfWhatHasNoRuleIsBounded) {
  OnnxBuilder builder = OnnxBuilder().input("x", {-1, 4}).output("y", {-1, 4});
  std::string last = "x";
  for (const char* op :
       {"Erf", "HardSwish", "Hardmax", "MeanVarianceNormalization", "ReduceL1", "ReduceLogSum",
        "ReduceLogSumExp", "ReduceSumSquare", "Shrink", "ThresholdedRelu", "Trilu"}) {
    const std::string_view name = op;
    const bool has_axes = name.starts_with("Reduce") || name.starts_with("Mean");
    const std::string next = name == "Trilu" ? "y" : last + "x";
    if (has_axes)
      builder.node(op, {last}, next, {{"axes", {0}}});
    else
      builder.node(op, {last}, next);
    last = next;
  }
  const auto warnings = described(builder).at("warnings").as_array();
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0].as_string(),
            "the statistics count no operations of: Erf, HardSwish, Hardmax, MeanVarianceNormalization, "
            "ReduceL1, ReduceLogSum, ReduceLogSumExp, ReduceSumSquare, Shrink, ThresholdedRelu and 1 more");
}

TEST(OnnxStatistics, WhatNoOutputNeedsIsNotCounted) {
  const auto plain =
      described(OnnxBuilder().input("x", {-1, 4}).output("y", {-1, 4}).node("Relu", {"x"}, "y"));
  const auto with_dead = described(OnnxBuilder()
                                       .input("x", {-1, 4})
                                       .output("y", {-1, 4})
                                       .integers("huge", {1LL << 40, 1LL << 40, 4})
                                       .node("Expand", {"x", "huge"}, "dead")
                                       .node("Erf", {"dead"}, "deader")
                                       .node("Relu", {"x"}, "y"));
  std::vector<std::int64_t> operations = counts(with_dead);
  operations[1] = 0;  // what the file stores: "huge" is in it
  EXPECT_EQ(operations, counts(plain));
  EXPECT_THAT(boost::json::serialize(with_dead.at("warnings")),
              testing::Not(HasSubstr("the statistics count no operations")));
}

TEST(OnnxStatistics, WhatAnInnerGraphReadsIsCounted) {
  const OnnxBuilder branch = OnnxBuilder().output("o", {-1, 4}).node("Identity", {"r"}, "o");
  const auto description = described(OnnxBuilder()
                                         .input("x", {-1, 4})
                                         .output("y", {-1, 4})
                                         .truth("yes")
                                         .node("Relu", {"x"}, "r")
                                         .node("If", {"yes"}, "y")
                                         .inner("then_branch", branch)
                                         .inner("else_branch", branch));
  EXPECT_EQ(counts(description)[7], 4) << "the Relu";
}

TEST(OnnxStatistics, NumbersBeyondAllIntegersAreShownAsTheLargest) {
  Description description;
  description.statistics = {.output = 0x1p80, .add = -0x1p80, .multiply = std::nan(""), .exp = 3};
  const auto numbers = counts(boost::json::parse(to_json(description)).as_object());
  EXPECT_THAT(numbers, ElementsAre(std::numeric_limits<std::int64_t>::max(), 0,
                                   std::numeric_limits<std::int64_t>::min(), 0, 0, 0, 3, 0));
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
