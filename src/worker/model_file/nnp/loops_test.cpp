#include "worker/model_file/nnp/loops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace noren::worker::nnp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class NetworkBuilder {
 public:
  NetworkBuilder& loop(const std::string& id, std::int64_t times) {
    network_.loop_times[id] = times;
    return *this;
  }
  NetworkBuilder& variable(const std::string& name, std::vector<std::string> loops = {},
                           Shape shape = {1, 2}) {
    network_.variables.push_back({name, false, std::move(loops), std::move(shape), "", 0});
    return *this;
  }
  NetworkBuilder& parameter(const std::string& name, std::vector<std::string> loops = {}) {
    network_.variables.push_back({name, true, std::move(loops), {2, 2}, "", 0});
    return *this;
  }
  NetworkBuilder& function(const std::string& type, std::vector<std::string> inputs,
                           const std::string& output, std::vector<std::string> loops = {}) {
    network_.functions.push_back({output, type, std::move(loops), std::move(inputs), {output}, {}, "", 0, 0});
    return *this;
  }
  NetworkBuilder& control(const std::string& type, const std::string& id, std::vector<std::string> inputs,
                          const std::string& output, std::vector<std::string> loops, std::int64_t axis = 0) {
    network_.functions.push_back(
        {output, type, std::move(loops), std::move(inputs), {output}, {}, id, 0, axis});
    return *this;
  }
  const RawNetwork& get() const { return network_; }
  Result<FlatNetwork> unroll() const {
    NamesBudget budget;
    return nnp::unroll(network_, budget);
  }

 private:
  RawNetwork network_;
};

/// x → R: (S → A) three times → E → y.
NetworkBuilder repeat(std::int64_t times) {
  NetworkBuilder builder;
  builder.loop("R", times)
      .variable("x")
      .variable("S", {"R"})
      .variable("A", {"R"})
      .variable("E")
      .variable("y");
  builder.parameter("A{R}/W", {"R"}).parameter("A/b", {"R"}).parameter("A/shared");
  builder.control("RepeatStart", "R", {"x", "A"}, "S", {"R"})
      .function("Affine", {"S", "A{R}/W", "A/b", "A/shared"}, "A", {"R"})
      .control("RepeatEnd", "R", {"A"}, "E", {})
      .function("Tanh", {"E"}, "y");
  return builder;
}

TEST(Loops, RepeatFeedsEachTurnFromTheOneBefore) {
  const NetworkBuilder builder = repeat(3);
  const auto flat = builder.unroll();
  ASSERT_TRUE(flat.ok()) << describe(flat.error());
  ASSERT_EQ(flat->functions.size(), 4u);
  EXPECT_THAT(flat->functions[1].inputs, ElementsAre("S_R[1]", "A[1]/W", "A/b_R[1]", "A/shared"));
  EXPECT_THAT(flat->functions[1].outputs, ElementsAre("A_R[1]"));
  EXPECT_EQ(flat->resolve("S_R[0]"), "x");
  EXPECT_EQ(flat->resolve("S_R[2]"), "A_R[1]");
  EXPECT_EQ(flat->resolve("E"), "A_R[2]");
}

TEST(Loops, RepeatTimesAreLimited) {
  EXPECT_TRUE(repeat(limits::kRepeatTimesCount).unroll().ok());
  const NetworkBuilder builder = repeat(limits::kRepeatTimesCount + 1);
  EXPECT_THAT(builder.unroll().error().text, HasSubstr("10001 turns"));
  EXPECT_THAT(repeat(0).unroll().error().text, HasSubstr("0 turns"));
  EXPECT_THAT(repeat(-1).unroll().error().text, HasSubstr("-1 turns"));
}

TEST(Loops, NestedLoopsAreLimitedTogether) {
  NetworkBuilder builder;
  builder.loop("P", 1000).loop("Q", 1000).variable("x").variable("y", {"P", "Q"});
  EXPECT_THAT(builder.unroll().error().text, HasSubstr("more than 400000 variables"));
  NetworkBuilder functions;
  functions.loop("P", 1000).loop("Q", 1000).variable("x").variable("y").function("Tanh", {"x"}, "y",
                                                                                 {"P", "Q"});
  EXPECT_THAT(functions.unroll().error().text, HasSubstr("more than 100000 layers"));
}

TEST(Loops, NamesAreLimitedInTheirSum) {
  NetworkBuilder builder;
  builder.loop("R", 10'000).variable("x").variable("y", {"R"});
  builder.function("AddN", std::vector<std::string>(1'000, "x"), "y", {"R"});
  EXPECT_THAT(builder.unroll().error().text, HasSubstr("too large when their loops are unrolled"));
}

TEST(Loops, RecurrenceSplitsDelaysAndStacks) {
  NetworkBuilder builder;
  builder.loop("I", 2).variable("x", {}, {1, 2, 3}).variable("c").variable("I", {"I"}).variable("D", {"I"});
  builder.variable("A", {"I"}).variable("O");
  builder.control("RecurrentInput", "I", {"x"}, "I", {"I"}, 1)
      .control("Delay", "I", {"A", "c"}, "D", {"I"})
      .function("Add2", {"I", "D"}, "A", {"I"})
      .control("RecurrentOutput", "I", {"A"}, "O", {}, 2);
  const auto flat = builder.unroll();
  ASSERT_TRUE(flat.ok()) << describe(flat.error());
  ASSERT_EQ(flat->functions.size(), 4u);
  EXPECT_EQ(flat->functions[0].type, "Split");
  EXPECT_EQ(flat->functions[0].arguments.integer("axis"), 1);
  EXPECT_THAT(flat->functions[0].outputs, ElementsAre("I_I[0]", "I_I[1]"));
  EXPECT_EQ(flat->functions[3].type, "Stack");
  EXPECT_EQ(flat->functions[3].arguments.integer("axis"), 2);
  EXPECT_THAT(flat->functions[3].inputs, ElementsAre("A_I[0]", "A_I[1]"));
  EXPECT_EQ(flat->resolve("D_I[0]"), "c");
  EXPECT_EQ(flat->resolve("D_I[1]"), "A_I[0]");
}

TEST(Loops, NestedLoopsNameTheirTurnsInOrder) {
  NetworkBuilder builder;
  builder.loop("P", 2).loop("Q", 2).variable("x").variable("S", {"P"}).variable("T", {"P", "Q"});
  builder.variable("A", {"P", "Q"}).variable("F", {"P"}).variable("E");
  builder.control("RepeatStart", "P", {"x", "F"}, "S", {"P"})
      .control("RepeatStart", "Q", {"S", "A"}, "T", {"P", "Q"})
      .function("Tanh", {"T"}, "A", {"P", "Q"})
      .control("RepeatEnd", "Q", {"A"}, "F", {"P"})
      .control("RepeatEnd", "P", {"F"}, "E", {});
  const auto flat = builder.unroll();
  ASSERT_TRUE(flat.ok()) << describe(flat.error());
  EXPECT_EQ(flat->functions.size(), 4u);
  EXPECT_EQ(flat->resolve("T_P[1]_Q[0]"), "A_P[0]_Q[1]");
  EXPECT_EQ(flat->resolve("E"), "A_P[1]_Q[1]");
}

TEST(Loops, WrongNetworksAreRefusedByName) {
  const auto refused = [](const NetworkBuilder& builder) {
    const auto flat = builder.unroll();
    EXPECT_FALSE(flat.ok());
    return flat.ok() ? "" : flat.error().text;
  };
  NetworkBuilder twice;
  EXPECT_THAT(refused(twice.variable("x").variable("x")), HasSubstr("'x' twice"));
  NetworkBuilder undefined;
  EXPECT_THAT(refused(undefined.variable("y").function("Tanh", {"x"}, "y")),
              HasSubstr("layer 'y' (Tanh) reads variable 'x', which the network does not define"));
  NetworkBuilder writers;
  EXPECT_THAT(
      refused(writers.variable("x").variable("y").function("Tanh", {"x"}, "y").function("Abs", {"x"}, "y")),
      HasSubstr("two layers write variable 'y'"));
  NetworkBuilder outside;
  outside.loop("R", 2).variable("x", {"R"}).variable("y").function("Tanh", {"x"}, "y");
  EXPECT_THAT(refused(outside), HasSubstr("of loop 'R' from outside the loop"));
  NetworkBuilder unknown;
  EXPECT_THAT(refused(unknown.variable("x", {"R"})),
              HasSubstr("loop 'R', which the network does not define"));
  NetworkBuilder self;
  self.loop("R", 2).variable("S", {"R"}).variable("E");
  self.control("RepeatStart", "R", {"E", "S"}, "S", {"R"}).control("RepeatEnd", "R", {"S"}, "E", {});
  EXPECT_THAT(refused(self), HasSubstr("cycle"));
  NetworkBuilder written;
  EXPECT_THAT(refused(written.variable("x").parameter("W").function("Tanh", {"x"}, "W")),
              HasSubstr("which is a parameter"));
}

TEST(Loops, NamesOfFunctionsBecomeUnique) {
  NetworkBuilder builder;
  builder.variable("x").variable("y").variable("z").function("Tanh", {"x"}, "y").function("Tanh", {"y"}, "z");
  RawNetwork network = builder.get();
  network.functions[0].name = network.functions[1].name = "";
  NamesBudget budget;
  const auto flat = unroll(network, budget);
  ASSERT_TRUE(flat.ok()) << describe(flat.error());
  EXPECT_EQ(flat->functions[0].name, "Tanh");
  EXPECT_EQ(flat->functions[1].name, "Tanh_2");
}

}  // namespace
}  // namespace noren::worker::nnp
