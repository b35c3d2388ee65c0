#include "server/data_folder/data_folder.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace noren::server {
namespace {

class DataFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/noren-data-XXXXXX";
    root_ = ::mkdtemp(name);
    ::unsetenv("NOREN_MASTER_KEY");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string root_;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST_F(DataFolderTest, ASecondServerIsRefusedUntilTheFirstHasGone) {
  const std::string path = root_ + "/deep/data";
  {
    const auto first = DataFolder::open(path);
    ASSERT_TRUE(first.ok()) << describe(first.error());
    const auto second = DataFolder::open(path);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::kAlreadyExists);
    EXPECT_NE(second.error().text.find(path), std::string::npos);
  }
  EXPECT_TRUE(DataFolder::open(path).ok());
}

TEST_F(DataFolderTest, TheMasterKeyIsMadeOnceAndPrivate) {
  const auto folder = DataFolder::open(root_);
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(folder->master_key(DataFolder::MissingKey::kRefuse).error().code, Code::kFailedPrecondition);
  const auto made = folder->master_key(DataFolder::MissingKey::kMake);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(mode_of(root_ + "/master.key"), 0600u);
  const auto again = folder->master_key(DataFolder::MissingKey::kRefuse);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->reveal(), made->reveal());
}

TEST_F(DataFolderTest, TheEnvironmentsMasterKeyWinsAndLeavesTheEnvironment) {
  const auto folder = DataFolder::open(root_);
  ::setenv("NOREN_MASTER_KEY", "abc", 1);
  const auto key = folder->master_key(DataFolder::MissingKey::kMake);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->reveal(), "abc");
  EXPECT_EQ(std::getenv("NOREN_MASTER_KEY"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(root_ + "/master.key"));
}

TEST_F(DataFolderTest, AdminJsonIsPrivateAndReadBack) {
  const std::string path = root_ + "/admin.json";
  ASSERT_TRUE(write_admin_file(path, {"http://127.0.0.1:1", "admin", Secret("p\"w"), Secret("t")}).ok());
  ASSERT_TRUE(write_admin_file(path, {"http://127.0.0.1:2", "admin", Secret("p\"w"), Secret("t")}).ok());
  EXPECT_EQ(mode_of(path), 0600u);
  const auto file = read_admin_file(path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->url, "http://127.0.0.1:2");
  EXPECT_EQ(file->password.reveal(), "p\"w");
  EXPECT_EQ(read_admin_file(root_ + "/none.json").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace noren::server
