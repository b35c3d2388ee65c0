#include "worker/model_file/statistics.h"

#include <gtest/gtest.h>

namespace noren::worker {
namespace {

class DesignBuilder {
 public:
  DesignBuilder& input(const std::string& name, Shape shape) {
    design_.variables[name] = {std::move(shape), false, false};
    return *this;
  }
  DesignBuilder& parameter(const std::string& name, Shape shape) {
    design_.variables[name] = {std::move(shape), true, false};
    return *this;
  }
  DesignBuilder& working_memory(const std::string& name, Shape shape) {
    design_.variables[name] = {std::move(shape), false, true};
    return *this;
  }
  DesignBuilder& layer(const std::string& name, const std::string& type, std::vector<std::string> inputs,
                       Shape output, double turns_count = 1, Arguments arguments = {}) {
    design_.variables[name] = {std::move(output), false, false};
    design_.layers.push_back({{name, type, std::move(inputs), {name}, std::move(arguments)}, turns_count});
    return *this;
  }
  Cost total() const { return statistics().total; }
  Statistics statistics() const {
    Executor executor;
    executor.design = std::make_shared<Design>(design_);
    return network_statistics(executor, nullptr);
  }

 private:
  Design design_;
};

TEST(Statistics, AffineCountsItsProductsItsBiasAndItsParameters) {
  const Cost cost = DesignBuilder()
                        .input("x", {1, 4})
                        .parameter("A/affine/W", {4, 3})
                        .parameter("A/affine/b", {3})
                        .layer("A", "Affine", {"x", "A/affine/W", "A/affine/b"}, {1, 3})
                        .total();
  EXPECT_EQ(cost.parameter, 15);
  EXPECT_EQ(cost.multiply_add, 12);
  EXPECT_EQ(cost.add, 3);
  EXPECT_EQ(cost.output, 4 + 3);
}

TEST(Statistics, ConvolutionsCountTheWeightsThatReachAnOutput) {
  Arguments two_groups;
  two_groups.set("group", std::int64_t{2});
  const Statistics statistics =
      DesignBuilder()
          .input("x", {1, 4, 8, 8})
          .parameter("C/conv/W", {6, 2, 3, 3})
          .layer("C", "Convolution", {"x", "C/conv/W"}, {1, 6, 6, 6}, 1, two_groups)
          .parameter("D/deconv/W", {6, 5, 2, 2})
          .layer("D", "Deconvolution", {"C", "D/deconv/W"}, {1, 10, 12, 12}, 1, two_groups)
          .statistics();
  ASSERT_EQ(statistics.functions.size(), 3u);
  EXPECT_EQ(statistics.functions[1].cost.multiply_add, 6 * 36 * 2 * 9);
  EXPECT_EQ(statistics.functions[1].cost.add, 0);  // no bias
  EXPECT_EQ(statistics.functions[2].cost.multiply_add, 10 * 144 * 3 * 4);
}

TEST(Statistics, BinaryWeightsCountAThirtySecondAndTheirCopyNothing) {
  const Cost cost = DesignBuilder()
                        .input("x", {1, 64})
                        .parameter("B/b/W", {64, 10})
                        .parameter("B/b/Wb", {64, 10})
                        .parameter("B/b/b", {10})
                        .layer("B", "BinaryConnectAffine", {"x", "B/b/W", "B/b/Wb", "B/b/b"}, {1, 10})
                        .total();
  EXPECT_EQ(cost.parameter, 20 + 10);
  EXPECT_EQ(cost.add, 640);
  EXPECT_EQ(cost.multiply_add, 0);
}

TEST(Statistics, LoopsCountEachTurn) {
  const Cost cost = DesignBuilder()
                        .input("x", {1, 4})
                        .parameter("A/affine/W", {4, 4})
                        .layer("A", "Affine", {"x", "A/affine/W"}, {1, 4}, 28)
                        .total();
  EXPECT_EQ(cost.parameter, 28 * 16);
  EXPECT_EQ(cost.output, 4 + 28 * 4);
}

TEST(Statistics, AUnitIsOneOutputButAllItsOperations) {
  const Cost cost = DesignBuilder()
                        .input("x", {1, 100})
                        .layer("U/ReLU", "ReLU", {"x"}, {1, 100})
                        .layer("U/Tanh", "Tanh", {"U/ReLU"}, {1, 100})
                        .layer("Abs", "Abs", {"U/Tanh"}, {1, 100})
                        .total();
  EXPECT_EQ(cost.output, 300);
  EXPECT_EQ(cost.branch, 200);
  EXPECT_EQ(cost.exp, 100);
}

TEST(Statistics, SideInputsAreNoLayersAndWorkingMemoryIsOne) {
  const Cost cost = DesignBuilder()
                        .input("x", {1, 5})
                        .input("L_T", {1, 1})
                        .working_memory("grad", {1, 7})
                        .layer("L", "SoftmaxCrossEntropy", {"x", "L_T"}, {1, 1})
                        .layer("V", "VATNoise", {"x", "grad"}, {1, 5})
                        .total();
  EXPECT_EQ(cost.output, 5 + 7 + 1 + 5);
  EXPECT_EQ(cost.parameter, 7);
  EXPECT_EQ(cost.division, 5);
}

TEST(Statistics, TotalsAreRoundedAsTheConsoleDoes) {
  // The parameters of VGG-16: 138,357,544 scalars, of which the console shows 138,357,536.
  Design design;
  for (const std::int64_t size : {14'714'688, 102'764'544, 16'781'312, 4'097'000}) {
    const std::string name = std::to_string(size);
    design.variables[name + "/W"] = {{size}, true, false};
    design.layers.push_back({{name, "Unknown", {"x", name + "/W"}, {}, {}}, 1});
  }
  Executor executor;
  executor.design = std::make_shared<Design>(design);
  EXPECT_EQ(network_statistics(executor, nullptr).total.parameter, 138'357'536);
}

TEST(Statistics, InferredShapesStandInWhereNoneIsDeclared) {
  Design design;
  design.variables["x"] = {};
  design.layers.push_back({{"R", "ReLU", {"x"}, {"R"}, {}}, 1});
  Executor executor;
  executor.design = std::make_shared<Design>(design);
  const Shape inferred{1, 9};
  const auto lookup = [&](std::string_view) { return &inferred; };
  EXPECT_EQ(network_statistics(executor, lookup).total.branch, 9);
}

TEST(Statistics, UsedParametersAreCountedAtEachUse) {
  Executor executor;
  executor.network.variables["W"] = {VariableKind::kParameter, {3, 3}, false};
  executor.network.variables["x"] = {VariableKind::kBuffer, {1, 3}, true};
  executor.network.functions = {{"A", "Affine", {"x", "W"}, {"A"}, {}},
                                {"B", "Affine", {"A", "W"}, {"B"}, {}}};
  EXPECT_EQ(used_parameter_scalars(executor), 18);
}

}  // namespace
}  // namespace noren::worker
