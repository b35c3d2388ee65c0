#include "server/control_plane/jobs/jobs.h"

#include <gtest/gtest.h>

#include "server/blob/memory_blob_store.h"

namespace noren::server {
namespace {

constexpr const char* kDescription =
    R"({"statistics":{"CostParameter":123},)"
    R"("per_request":{"eligible":false,"reasons":["CostParameter is 9","slow"]}})";

class JobsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        store_->add_owner({"o1", OwnerKind::kPerson, "jun", OwnerPlan::kFree, Role::kUser, "", 0}).ok());
  }
  JobRecord import(const std::string& upload, const std::string& package) {
    jobs_.begin_import();
    const auto files =
        jobs_.keep_files(*sealed_memfd("u", bytes_of(upload)), *sealed_memfd("p", bytes_of(package)));
    EXPECT_TRUE(files.ok());
    const auto job = jobs_.add({"o1", "p", "n", "n.nnp", false, kDescription}, *files);
    EXPECT_TRUE(job.ok());
    jobs_.end_import();
    return *job;
  }
  std::size_t blobs_count() { return blobs_.list()->size(); }

  std::unique_ptr<Store> store_ = make_memory_store();
  MemoryBlobStore blobs_;
  ManualClock clock_{1'000};
  Jobs jobs_{*store_, blobs_, clock_};
};

TEST_F(JobsTest, AnImportKeepsItsFilesAndFacts) {
  const JobRecord job = import("upload", "package");
  EXPECT_EQ(job.cost_parameter, 123);
  EXPECT_EQ(job.upload_bytes, 6);
  EXPECT_EQ(blobs_count(), 2u);
  EXPECT_EQ(jobs_.find(job.id)->description, kDescription);
  EXPECT_EQ(jobs_.find("none").error().code, Code::kNotFound);
}

TEST_F(JobsTest, ABlobGoesWithItsLastJob) {
  const JobRecord one = import("upload", "package");
  const JobRecord two = import("upload", "other");
  ASSERT_TRUE(jobs_.remove(one).ok());
  EXPECT_EQ(blobs_count(), 2u);
  ASSERT_TRUE(jobs_.remove(two).ok());
  EXPECT_EQ(blobs_count(), 0u);
}

TEST_F(JobsTest, NothingIsRemovedWhileAnImportIsUnderWay) {
  const JobRecord one = import("upload", "package");
  jobs_.begin_import();
  const auto files =
      jobs_.keep_files(*sealed_memfd("u", bytes_of("upload")), *sealed_memfd("p", bytes_of("package")));
  ASSERT_TRUE(jobs_.remove(one).ok());
  EXPECT_EQ(blobs_count(), 2u);
  const auto two = jobs_.add({"o1", "p", "n", "n.nnp", false, kDescription}, *files);
  ASSERT_TRUE(two.ok());
  jobs_.end_import();
  EXPECT_EQ(blobs_count(), 2u);
}

TEST_F(JobsTest, AnImportThatFailsLeavesNothing) {
  jobs_.begin_import();
  const auto files =
      jobs_.keep_files(*sealed_memfd("u", bytes_of("upload")), *sealed_memfd("p", bytes_of("package")));
  EXPECT_EQ(jobs_.add({"o1", "p", "n", "n.nnp", false, "not json"}, *files).error().code, Code::kInternal);
  jobs_.release_blobs({files->upload_hash, files->package_hash});
  jobs_.end_import();
  EXPECT_EQ(blobs_count(), 0u);
}

TEST_F(JobsTest, AJobInUseStays) {
  const JobRecord job = import("upload", "package");
  const auto number = store_->add_api({0, "x", "o1", ExecutionType::kPerRequest, true, "{}", "v1", 1, 1});
  ASSERT_TRUE(store_->add_version({*number, "v1", job.id, 1}).ok());
  EXPECT_EQ(jobs_.remove(job).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(jobs_.remove_abandoned(1'000'000).ok());
  EXPECT_TRUE(jobs_.find(job.id).ok());
}

TEST_F(JobsTest, WhatAPublishAbandonedAndWhatACrashLeftIsRemoved) {
  const JobRecord job = import("upload", "package");
  ASSERT_TRUE(blobs_.put(bytes_of("stray")).ok());
  ASSERT_TRUE(jobs_.remove_stray_blobs().ok());
  EXPECT_EQ(blobs_count(), 2u);
  ASSERT_TRUE(jobs_.remove_abandoned(job.created_us).ok());
  EXPECT_TRUE(jobs_.find(job.id).ok());
  ASSERT_TRUE(jobs_.remove_abandoned(job.created_us + 1).ok());
  EXPECT_FALSE(jobs_.find(job.id).ok());
  EXPECT_EQ(blobs_count(), 0u);
}

TEST(Description, TheInterfaceIsReadAndEverythingElseIsRefused) {
  const std::string good =
      R"({"executors":[{"name":"E","inputs":[{"name":"x","type":"float32","shape":[1,-1]}],"outputs":[]}]})";
  const auto model = read_interface(good);
  ASSERT_TRUE(model.ok()) << describe(model.error());
  ASSERT_EQ(model->executors.size(), 1u);
  EXPECT_EQ(model->executors[0].inputs[0].shape, (std::vector<std::int64_t>{1, -1}));
  for (const std::string& part :
       {"\"executors\":[", "\"name\":\"E\",", "\"inputs\":[", "-1", ",\"outputs\":[]"}) {
    std::string bad = good;
    bad.replace(bad.find(part), part.size(), part == "-1" ? "null" : "");
    EXPECT_FALSE(read_interface(bad).ok()) << bad;
  }
}

TEST(Description, FactsAreReadAndEverythingElseIsRefused) {
  const auto facts = read_description(kDescription);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->cost_parameter, 123);
  EXPECT_EQ(facts->reasons, std::vector<std::string>{"slow"});
  for (const char* bad :
       {"", "[]", "{}", R"({"statistics":{"CostParameter":-1},"per_request":{"reasons":[]}})",
        R"({"statistics":{"CostParameter":1}})",
        R"({"statistics":{"CostParameter":1},"per_request":{"reasons":[1]}})",
        R"({"statistics":{"CostParameter":1e300},"per_request":{"reasons":[]}})"})
    EXPECT_FALSE(read_description(bad).ok()) << bad;
  EXPECT_FALSE(read_description(std::string(100'000, '[')).ok());
}

}  // namespace
}  // namespace noren::server
