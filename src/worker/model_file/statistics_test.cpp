#include "worker/model_file/statistics.h"

#include <gtest/gtest.h>

#include <limits>

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

// The numbers of the next five are those of the console's nncd_console_cli_util for the same layers.

TEST(Statistics, BinaryWeightsAreRoundedUpAndTheirScaleIsFree) {
  const Statistics statistics =
      DesignBuilder()
          .input("x", {1, 2, 5, 7})
          .parameter("B/bwn_affine/W", {70, 5})
          .parameter("B/bwn_affine/Wb", {70, 5})
          .parameter("B/bwn_affine/b", {5})
          .layer("B", "BinaryWeightAffine", {"x", "B/bwn_affine/W", "B/bwn_affine/Wb", "B/bwn_affine/b"},
                 {1, 5})
          .parameter("A/bwn_affine/alpha", {5})
          .layer("A", "BinaryWeightAffine",
                 {"x", "B/bwn_affine/W", "B/bwn_affine/Wb", "A/bwn_affine/alpha", "B/bwn_affine/b"}, {1, 5})
          .statistics();
  EXPECT_EQ(statistics.functions[1].cost.parameter, 11 + 5);
  EXPECT_EQ(statistics.functions[2].cost.parameter, 11 + 5);
}

TEST(Statistics, FourierTransformsCountTheStagesOfEachAxis) {
  Arguments two_axes, one_axis;
  two_axes.set("signal_ndim", std::int64_t{2}).set("normalized", true);
  one_axis.set("signal_ndim", std::int64_t{1}).set("normalized", false);
  const Cost two = DesignBuilder()
                       .input("x", {1, 3, 5, 7, 2})
                       .layer("F", "FFT", {"x"}, {1, 3, 5, 7, 2}, 1, two_axes)
                       .total();
  EXPECT_EQ(two.multiply_add, 5040);
  EXPECT_EQ(two.multiply, 210);
  const Cost one = DesignBuilder()
                       .input("x", {1, 3, 1000, 2})
                       .layer("F", "IFFT", {"x"}, {1, 3, 1000, 2}, 1, one_axis)
                       .total();
  EXPECT_EQ(one.multiply_add, 240'000);
  EXPECT_EQ(one.multiply, 0);
}

TEST(Statistics, FourierTransformsOverOddNumbersOfAxesAreCountedToo) {
  const auto products = [](std::int64_t axes_count) {
    Arguments arguments;
    arguments.set("signal_ndim", axes_count).set("normalized", false);
    return DesignBuilder()
        .input("x", {1, 3, 1000, 2})
        .layer("F", "FFT", {"x"}, {1, 3, 1000, 2}, 1, arguments)
        .total()
        .multiply_add;
  };
  EXPECT_EQ(products(std::numeric_limits<std::int64_t>::min()), 0);
  EXPECT_EQ(products(0), 0);
  EXPECT_EQ(products(std::numeric_limits<std::int64_t>::max()), products(3));
}

TEST(Statistics, CountsBeyondAllIntegersAreTheLargest) {
  EXPECT_EQ(whole_count(0x1p62), std::int64_t{1} << 62);
  EXPECT_EQ(whole_count(0x1p63), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(whole_count(-0x1p80), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(whole_count(std::numeric_limits<double>::quiet_NaN()), 0);
}

TEST(Statistics, SeparableConvolutionsCountTheirKernelsForEachOutput) {
  const Cost cost = DesignBuilder()
                        .input("x", {1, 3, 8, 9})
                        .input("F_V", {1, 5, 4, 8})
                        .input("F_H", {1, 2, 4, 8})
                        .layer("F", "AdaptiveSeparableConvolution", {"x", "F_V", "F_H"}, {1, 3, 4, 8})
                        .total();
  EXPECT_EQ(cost.multiply_add, 960);
}

TEST(Statistics, SomeParametersAreNotCounted) {
  const Cost cost = DesignBuilder()
                        .parameter("S/u", {4})
                        .parameter("W/g", {4})
                        .parameter("Q/qr_min", {1})
                        .input("x", {1, 4})
                        .layer("S", "SpectralNorm", {"x", "S/u"}, {1, 4})
                        .layer("W", "WeightNormalization", {"S", "W/g"}, {1, 4})
                        .layer("Q", "MinMaxQuantize", {"W", "Q/qr_min"}, {1, 4})
                        .total();
  EXPECT_EQ(cost.parameter, 0);
}

/// An LSTM of the console over 5 steps of 10 numbers, 10 units, inside a loop of 3.
DesignBuilder console_lstm(const std::string& scope) {
  DesignBuilder builder;
  builder.input("x", {1, 5, 10});
  const auto name = [&](const char* layer) { return scope + layer; };
  builder.layer(name("RecurrentInput"), "RecurrentInput", {"x"}, {1, 10}, 15);
  for (const char* delay : {"C", "H"}) builder.layer(name(delay), "Delay", {name("Add2")}, {1, 10}, 15);
  builder.layer(name("Concatenate"), "Concatenate", {name("RecurrentInput"), name("H")}, {1, 20}, 15);
  for (const char* gate : {"Affine", "IGate", "FGate", "OGate"}) {
    builder.parameter(name(gate) + "/affine/W", {20, 10}).parameter(name(gate) + "/affine/b", {10});
    builder.layer(name(gate), "Affine",
                  {name("Concatenate"), name(gate) + "/affine/W", name(gate) + "/affine/b"}, {1, 10}, 15);
  }
  for (const char* tanh : {"Tanh", "Tanh_2"})
    builder.layer(name(tanh), "Tanh", {name("Affine")}, {1, 10}, 15);
  for (const char* gate : {"Sigmoid", "Sigmoid_2", "Sigmoid_4"})
    builder.layer(name(gate), "Sigmoid", {name("IGate")}, {1, 10}, 15);
  for (const char* product : {"Mul2", "Mul2_2", "Mul2_3"})
    builder.layer(name(product), "Mul2", {name("Tanh"), name("Sigmoid")}, {1, 10}, 15);
  builder.layer(name("Add2"), "Add2", {name("Mul2"), name("Mul2_2")}, {1, 10}, 15);
  builder.layer(name("RecurrentOutput"), "RecurrentOutput", {name("Mul2_3")}, {1, 5, 10}, 3);
  return builder;
}

TEST(Statistics, TheConsolesLstmIsOneLayer) {
  const Cost cost = console_lstm("LSTM/").total();
  EXPECT_EQ(cost.parameter, 2520);
  EXPECT_EQ(cost.add, 600);
  EXPECT_EQ(cost.multiply_add, 15 * 4 * 200);
  EXPECT_EQ(cost.multiply + cost.division + cost.exp + cost.branch, 0);
}

TEST(Statistics, OtherLstmsCountWhatIsInThem) {
  const Cost drawn = console_lstm("").total();
  EXPECT_EQ(drawn.parameter, 15 * 840);
  EXPECT_EQ(drawn.exp, 15 * 5 * 10);
  const Cost own_unit =
      console_lstm("Own/").layer("Own/ReLU", "ReLU", {"Own/RecurrentOutput"}, {1, 5, 10}, 3).total();
  EXPECT_EQ(own_unit.parameter, 15 * 840);
}

TEST(Statistics, RecurrentLayersOfTheReferenceCountTheirMatricesAtEachStep) {
  DesignBuilder builder;
  builder.input("x", {7, 2, 5})
      .input("h", {2, 1, 2, 3})
      .parameter("L/weight_l0", {1, 4, 3, 8})
      .parameter("L/weight", {1, 1, 4, 3, 6})
      .parameter("L/bias", {2, 1, 4, 3})
      .layer("L", "LSTM", {"x", "h", "h", "L/weight_l0", "L/weight", "L/bias"}, {7, 2, 3})
      .parameter("R/weight_l0", {1, 3, 8})
      .layer("R", "RNN", {"x", "h", "R/weight_l0"}, {7, 2, 3});
  const Statistics statistics = builder.statistics();
  const Cost& lstm = statistics.functions[2].cost;
  EXPECT_EQ(lstm.multiply_add, 14 * (96 + 72));
  EXPECT_EQ(lstm.add, 14 * 24);
  EXPECT_EQ(lstm.parameter, 96 + 72 + 24);
  const Cost& rnn = statistics.functions[3].cost;
  EXPECT_EQ(rnn.multiply_add, 14 * 24);
  EXPECT_EQ(rnn.add, 0);
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
