#include "server/control_plane/jobs/import_line.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace noren::server {
namespace {

class ImportLineTest : public ::testing::Test {
 protected:
  Status join(const std::string& owner_id, const std::string& name = "") {
    return line_.join(owner_id, next_turn_++, [this, name] { begun_ += name; });
  }
  /// The names of all that wait, in the order of their turns.
  std::string run() {
    begun_.clear();
    while (const auto begin = line_.take()) begin();
    return begun_;
  }

  ImportLine line_;
  std::uint64_t next_turn_ = 1;
  std::string begun_;
};

TEST_F(ImportLineTest, AccountsComeRoundAndOfEachTheOldest) {
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_TRUE(join("one", name).ok());
  EXPECT_TRUE(join("two", "A").ok());
  EXPECT_TRUE(join("three", "1").ok());
  EXPECT_TRUE(join("two", "B").ok());
  EXPECT_EQ(run(), "aA1bBcd");
  EXPECT_TRUE(line_.empty());
}

TEST_F(ImportLineTest, WhoComesAnewWaitsForOneRoundAndNotForWhatOthersPiledUp) {
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(join("many", "m").ok());
  for (int round = 0; round < 3; ++round) {  // one after the other, each when the last one has begun
    EXPECT_TRUE(join("few", "f").ok());
    begun_.clear();
    line_.take()();
    line_.take()();
    EXPECT_EQ(begun_, "mf");
  }
  EXPECT_EQ(run(), "mmmmm");
}

TEST_F(ImportLineTest, NoAccountFillsItAlone) {
  static_assert(limits::kImportQueuePerAccountCount < limits::kImportQueueCount);
  for (std::size_t i = 0; i < limits::kImportQueuePerAccountCount; ++i) EXPECT_TRUE(join("one", "1").ok());
  EXPECT_EQ(join("one").error().code, Code::kExhausted);
  EXPECT_TRUE(join("two", "2").ok()) << "there is room for others";
  line_.take()();
  EXPECT_TRUE(join("one").ok()) << "a turn makes room";
  EXPECT_EQ(join("one").error().code, Code::kExhausted);
}

TEST_F(ImportLineTest, SoManyWaitAndNoMore) {
  for (std::size_t i = 0; i < limits::kImportQueueCount; ++i) EXPECT_TRUE(join(std::to_string(i)).ok());
  EXPECT_EQ(join("one more").error().text, "too many imports are waiting: try again later");
  EXPECT_NE(line_.take(), nullptr);
  EXPECT_TRUE(join("one more").ok());
}

TEST_F(ImportLineTest, WhoLeavesMakesRoomAndHoldsNothing) {
  const auto upload = std::make_shared<int>();
  ASSERT_TRUE(line_.join("one", 1, [upload] {}).ok());
  for (std::size_t i = 1; i < limits::kImportQueuePerAccountCount; ++i)
    ASSERT_TRUE(line_.join("one", i + 1, [] {}).ok());
  next_turn_ = 100;
  EXPECT_FALSE(join("one").ok());
  EXPECT_TRUE(line_.leave(1));
  EXPECT_EQ(upload.use_count(), 1);
  EXPECT_FALSE(line_.leave(1));
  EXPECT_TRUE(join("one").ok());
  for (std::size_t i = 0; i < limits::kImportQueueCount - limits::kImportQueuePerAccountCount; ++i)
    EXPECT_TRUE(join("other " + std::to_string(i)).ok());
  EXPECT_FALSE(join("last").ok());
  EXPECT_TRUE(line_.leave(next_turn_ - 2)) << "an account's only one";
  EXPECT_TRUE(join("last").ok());
}

TEST_F(ImportLineTest, NobodyWaits) {
  EXPECT_TRUE(line_.empty());
  EXPECT_EQ(line_.take(), nullptr);
  EXPECT_FALSE(line_.leave(1));
}

}  // namespace
}  // namespace noren::server
