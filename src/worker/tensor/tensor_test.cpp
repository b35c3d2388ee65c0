#include "worker/tensor/tensor.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace noren::worker {
namespace {

TEST(Shape, CountsUpToTheLimitAndNotPastIt) {
  EXPECT_EQ(checked_element_count({}).value(), 1);
  EXPECT_EQ(checked_element_count({2, 0, 5}).value(), 0);
  EXPECT_EQ(checked_element_count({limits::kTensorElementsCount}).value(), limits::kTensorElementsCount);
  EXPECT_EQ(checked_element_count({limits::kTensorElementsCount + 1}).error().code, Code::kTooLarge);
  EXPECT_EQ(checked_element_count({1LL << 40, 1LL << 40}).error().code, Code::kTooLarge);
  EXPECT_FALSE(checked_element_count({-1}).ok());
}

TEST(Tensor, HoldsWhatItWasGiven) {
  Tensor tensor = Tensor::from_floats({2, 2}, {1, 2, 3, 4});
  tensor.reshape({4});
  EXPECT_EQ(tensor.data<float>()[3], 4.0F);
  EXPECT_DEATH(tensor.data<double>(), "CHECK failed");
}

}  // namespace
}  // namespace noren::worker
