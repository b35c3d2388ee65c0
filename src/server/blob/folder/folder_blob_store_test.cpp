// The contract of BlobStore, held by the folder and by its twin in memory; then what only a folder can get
// wrong.
#include "server/blob/folder/folder_blob_store.h"

#include <filesystem>
#include <fstream>
#include <memory>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "server/blob/memory_blob_store.h"

namespace noren::server {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/noren-blobs-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  std::string path() const { return path_ + "/blobs"; }

 private:
  std::string path_;
};

std::string content(const UniqueFd& fd) {
  const auto mapping = Mapping::map(fd.get());
  EXPECT_TRUE(mapping.ok());
  return std::string(text_of(mapping->bytes()));
}

class BlobContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "memory") {
      store_ = std::make_unique<MemoryBlobStore>();
    } else {
      auto opened = FolderBlobStore::open(folder_.path());
      ASSERT_TRUE(opened.ok()) << describe(opened.error());
      store_ = std::make_unique<FolderBlobStore>(std::move(*opened));
    }
  }
  TemporaryFolder folder_;
  std::unique_ptr<BlobStore> store_;
};

TEST_P(BlobContract, WhatIsPutIsLoadedByItsHash) {
  const auto name = store_->put(bytes_of("abc"));
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(*name, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const auto loaded = store_->load(*name);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(content(*loaded), "abc");
}

TEST_P(BlobContract, TheSameBytesHaveOneBlob) {
  ASSERT_TRUE(store_->put(bytes_of("abc")).ok());
  ASSERT_TRUE(store_->put(bytes_of("abc")).ok());
  ASSERT_TRUE(store_->put(bytes_of("")).ok());
  const auto all = store_->list();
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->size(), 2u);
}

TEST_P(BlobContract, WhatIsRemovedIsGone) {
  const auto name = store_->put(bytes_of("abc"));
  ASSERT_TRUE(store_->remove(*name).ok());
  ASSERT_TRUE(store_->remove(*name).ok());
  const auto loaded = store_->load(*name);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, Code::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Stores, BlobContract, ::testing::Values("memory", "folder"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(FolderBlobStore, ADamagedFileIsRefusedAndAPutMendsIt) {
  const TemporaryFolder folder;
  auto store = FolderBlobStore::open(folder.path());
  ASSERT_TRUE(store.ok());
  const auto name = store->put(bytes_of("abc"));
  const std::string path = folder.path() + "/" + name->substr(0, 2) + "/" + *name;
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  std::ofstream(path, std::ios::trunc) << "abd";
  EXPECT_EQ(store->load(*name).error().code, Code::kCorrupt);
  ASSERT_TRUE(store->put(bytes_of("abc")).ok());
  EXPECT_TRUE(store->load(*name).ok());
}

TEST(FolderBlobStore, ANameIsNeverAPath) {
  const TemporaryFolder folder;
  auto store = FolderBlobStore::open(folder.path());
  ASSERT_TRUE(store.ok());
  std::ofstream(folder.path() + "/../secret") << "secret";
  EXPECT_EQ(store->load("../secret").error().code, Code::kNotFound);
  ASSERT_TRUE(store->remove("../secret").ok());
  EXPECT_TRUE(fs::exists(folder.path() + "/../secret"));
}

TEST(FolderBlobStore, WhatACrashLeftHalfWrittenIsRemovedAtOpening) {
  const TemporaryFolder folder;
  ASSERT_TRUE(FolderBlobStore::open(folder.path()).ok());
  std::ofstream(folder.path() + "/unfinished/leftover") << "half";
  ASSERT_TRUE(FolderBlobStore::open(folder.path()).ok());
  EXPECT_FALSE(fs::exists(folder.path() + "/unfinished/leftover"));
}

}  // namespace
}  // namespace noren::server
