#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace noren {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return invalid("odd");
  return number / 2;
}

Result<int> quarter(int number) {
  ASSIGN_OR_RETURN(const int once, half(number));
  ASSIGN_OR_RETURN(const int twice, half(once));
  return twice;
}

Status all_even(int first, int second) {
  TRY(half(first));
  TRY(half(second));
  return Ok{};
}

TEST(Result, PassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().text, "odd");
  EXPECT_TRUE(all_even(2, 4).ok());
  EXPECT_FALSE(all_even(2, 3).ok());
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(Result, DescribesTheSystemsReason) {
  errno = ENOENT;
  const Error error = system_error(Code::kNotFound, "no such file", "open x");
  EXPECT_EQ(describe(error), "not_found: no such file (open x: No such file or directory)");
}

TEST(ResultDeathTest, ReadingAValueThatIsNotThereStops) {
  EXPECT_DEATH({ static_cast<void>(half(1).value()); }, "CHECK failed");
}

}  // namespace
}  // namespace noren
