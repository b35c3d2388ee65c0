// Kernels that index by what a request holds: they check every index, and survive values that have no order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "worker/engine/operators/operator.h"

namespace noren::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Attributes final : OperatorAttributes {
  std::map<std::string, std::int64_t> numbers;
  std::map<std::string, std::vector<std::int64_t>> lists;
  std::int64_t integer(const char* name, std::int64_t fallback) const override {
    const auto found = numbers.find(name);
    return found == numbers.end() ? fallback : found->second;
  }
  float real(const char*, float fallback) const override { return fallback; }
  std::vector<std::int64_t> integers(const char* name) const override {
    const auto found = lists.find(name);
    return found == lists.end() ? std::vector<std::int64_t>{} : found->second;
  }
  std::vector<float> reals(const char*) const override { return {}; }
  std::string text(const char* name, const char* fallback) const override {
    return std::string(name) == "layer" ? "it" : fallback;
  }
};

struct Context final : OperatorContext {
  std::vector<Tensor> inputs;
  std::vector<std::vector<float>> outputs = std::vector<std::vector<float>>(1);
  std::size_t input_count() const override { return inputs.size(); }
  std::size_t output_count() const override { return outputs.size(); }
  OperatorInput input(std::size_t index) const override {
    const Tensor& tensor = inputs.at(index);
    return {tensor.type(), tensor.shape(), tensor.raw(), tensor.count()};
  }
  float* output(std::size_t index, const Shape& shape) override {
    outputs.at(index).assign(static_cast<std::size_t>(element_count(shape)), -99.0F);
    return outputs.at(index).data();
  }
  std::int64_t* integer_output(std::size_t, const Shape&) override { return nullptr; }
};

void run(const std::string& name, const Attributes& attributes, Context& context) {
  const auto all = all_operators();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return name == each.name; });
  ASSERT_NE(found, all.end());
  found->make(attributes)->compute(context);
}

std::string failure(const std::string& name, const Attributes& attributes, Context context) {
  try {
    run(name, attributes, context);
  } catch (const OperatorFailure& error) {
    return error.what();
  }
  return "";
}

Context with(std::vector<Tensor> inputs) {
  Context context;
  context.inputs = std::move(inputs);
  return context;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Indices, AreCutToWholeNumbersAndChecked) {
  Attributes attributes;
  attributes.lists["counts"] = {4};
  Context good = with({Tensor::from_floats({3}, {0.0F, 3.9F, -0.5F})});
  run("Indices", attributes, good);
  EXPECT_THAT(good.outputs[0], ElementsAre(0.0F, 3.0F, 0.0F));
  for (const float bad : {4.0F, -1.0F, 1e30F, kNan, kInfinity, -kInfinity})
    EXPECT_THAT(failure("Indices", attributes, with({Tensor::from_floats({1}, {bad})})),
                HasSubstr("layer 'it'"))
        << bad;
  attributes.numbers["from_end"] = 1;
  Context ends = with({Tensor::from_floats({2}, {-1.0F, -4.0F})});
  run("Indices", attributes, ends);
  EXPECT_THAT(ends.outputs[0], ElementsAre(3.0F, 0.0F));
  EXPECT_EQ(failure("Indices", attributes, with({Tensor::from_floats({1}, {-5.0F})})),
            "layer 'it': index -5 is not within an axis of 4");
}

TEST(Indices, RefusesPartsOfUnequalLength) {
  Attributes attributes;
  attributes.lists["counts"] = {4, 4};
  EXPECT_NE(failure("Indices", attributes, with({Tensor::from_floats({3}, {0, 0, 0})})), "");
}

TEST(Sort, SurvivesRowsOfNan) {
  std::vector<float> values(100, kNan);
  for (std::size_t i = 0; i < values.size(); i += 3) values[i] = static_cast<float>(i);
  Attributes attributes;
  attributes.numbers["axis"] = 1;
  Context context = with({Tensor::from_floats({1, 100}, values)});
  run("Sort", attributes, context);
  EXPECT_EQ(context.outputs[0].front(), 0.0F);
  EXPECT_EQ(context.outputs[0][33], 99.0F);
  EXPECT_TRUE(std::isnan(context.outputs[0].back()));
}

TEST(SearchSorted, EndsForValuesWithoutOrder) {
  Context context =
      with({Tensor::from_floats({5}, {1, kNan, 0, kNan, 2}), Tensor::from_floats({2}, {kNan, 1.5F})});
  run("SearchSorted", {}, context);
  for (const float place : context.outputs[0]) EXPECT_TRUE(place >= 0 && place <= 5);
}

TEST(Scatter, RefusesIndicesOutOfRange) {
  Attributes attributes;
  attributes.lists["shape"] = {3};
  for (const float bad : {3.0F, -4.0F, kNan})
    EXPECT_NE(failure("ScatterNd", attributes,
                      with({Tensor::from_floats({1}, {7}), Tensor::from_floats({1, 1}, {bad})})),
              "");
  for (const float bad : {3.0F, -0.5F, kNan})
    EXPECT_NE(failure("ScatterAdd", attributes,
                      with({Tensor::from_floats({3}, {0, 0, 0}), Tensor::from_floats({1}, {bad}),
                            Tensor::from_floats({1}, {7})})),
              "");
}

TEST(Scatter, RefusesShapesThatDoNotFit) {
  Attributes attributes;
  attributes.lists["shape"] = {3, 2};
  EXPECT_NE(failure("ScatterNd", attributes,
                    with({Tensor::from_floats({1}, {7}), Tensor::from_floats({1, 1}, {0})})),
            "");
  EXPECT_NE(failure("ScatterAdd", attributes,
                    with({Tensor::from_floats({3}, {0, 0, 0}), Tensor::from_floats({2}, {0, 0}),
                          Tensor::from_floats({1}, {7})})),
            "");
}

TEST(BoolScatter, RepeatsTheLastRowWhereTheMaskAsksForMore) {
  Context context = with({Tensor::from_floats({2}, {5, 6}), Tensor::from_floats({4}, {1, 0, 1, 1})});
  run("BoolScatter", {}, context);
  EXPECT_THAT(context.outputs[0], ElementsAre(5.0F, 0.0F, 6.0F, 6.0F));
}

}  // namespace
}  // namespace noren::worker
