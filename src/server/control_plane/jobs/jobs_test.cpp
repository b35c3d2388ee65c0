#include "server/control_plane/jobs/jobs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/result_limits.h"
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
    EXPECT_TRUE(jobs_.begin_import("o1", [] {}).ok());
    const auto job = jobs_.add({"o1", "p", "n", "n.nnp", false, kDescription}, keep(upload, package));
    EXPECT_TRUE(job.ok());
    jobs_.end_import();
    return *job;
  }
  KeptFiles keep(const std::string& upload, const std::string& package) {
    KeptFiles files;
    EXPECT_TRUE(
        jobs_.keep_files(*sealed_memfd("u", bytes_of(upload)), *sealed_memfd("p", bytes_of(package)), files)
            .ok());
    return files;
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
  ASSERT_TRUE(jobs_.begin_import("o1", [] {}).ok());
  const KeptFiles files = keep("upload", "package");
  ASSERT_TRUE(jobs_.remove(one).ok());
  EXPECT_EQ(blobs_count(), 2u);
  const auto two = jobs_.add({"o1", "p", "n", "n.nnp", false, kDescription}, files);
  ASSERT_TRUE(two.ok());
  jobs_.end_import();
  EXPECT_EQ(blobs_count(), 2u);
}

TEST_F(JobsTest, SoManyImportsRunAndWaitAndNoMore) {
  std::vector<std::size_t> begun;
  const std::size_t most_count = limits::kImportsCount + limits::kImportQueuePerAccountCount;
  for (std::size_t i = 0; i < most_count; ++i)
    ASSERT_TRUE(jobs_.begin_import("o1", [&begun, i] { begun.push_back(i); }).ok());
  EXPECT_EQ(begun.size(), limits::kImportsCount);
  EXPECT_EQ(jobs_.begin_import("o1", [] { FAIL(); }).error().code, Code::kExhausted);
  for (std::size_t i = 0; i < most_count; ++i) jobs_.end_import();
  ASSERT_EQ(begun.size(), most_count);
  EXPECT_TRUE(std::is_sorted(begun.begin(), begun.end())) << "each in its turn";
  EXPECT_TRUE(jobs_.begin_import("o1", [&begun] { begun.push_back(0); }).ok());
  EXPECT_EQ(begun.size(), most_count + 1);
}

TEST_F(JobsTest, AccountsThatWaitComeRound) {
  std::string begun;
  for (std::size_t i = 0; i < limits::kImportsCount; ++i) ASSERT_TRUE(jobs_.begin_import("o1", [] {}).ok());
  for (const char* name : {"a", "b", "c"})
    ASSERT_TRUE(jobs_.begin_import("o1", [&begun, name] { begun += name; }).ok());
  ASSERT_TRUE(jobs_.begin_import("o2", [&begun] { begun += "A"; }).ok());
  for (std::size_t i = 0; i < 4 + limits::kImportsCount; ++i) jobs_.end_import();
  EXPECT_EQ(begun, "aAbc");
}

TEST_F(JobsTest, WhoHangsUpLeavesTheLine) {
  for (std::size_t i = 0; i < limits::kImportsCount; ++i) ASSERT_TRUE(jobs_.begin_import("o1", [] {}).ok());
  const auto upload = std::make_shared<int>();
  bool has_begun = false;
  const auto gone = jobs_.begin_import("o1", [upload] { FAIL(); });
  const auto next = jobs_.begin_import("o1", [&has_begun] { has_begun = true; });
  EXPECT_TRUE(jobs_.give_up_turn(*gone));
  EXPECT_EQ(upload.use_count(), 1) << "what it held is given back";
  EXPECT_FALSE(jobs_.give_up_turn(*gone));
  jobs_.end_import();
  EXPECT_TRUE(has_begun);
  EXPECT_FALSE(jobs_.give_up_turn(*next)) << "it runs";
}

TEST_F(JobsTest, ReleasedBlobsGoThoughImportsFollowOnEachOther) {
  const JobRecord one = import("upload", "package");
  ASSERT_TRUE(jobs_.begin_import("o1", [] {}).ok());
  ASSERT_TRUE(jobs_.remove(one).ok());
  std::size_t begun_count = 1;
  for (int minute = 0; minute < 10; ++minute) {  // one more begins before the last one ends
    ASSERT_TRUE(jobs_.begin_import("o1", [&begun_count] { ++begun_count; }).ok());
    clock_.advance_ms(30'000);
    jobs_.end_import();
  }
  EXPECT_EQ(blobs_count(), 0u);
  jobs_.end_import();
  EXPECT_EQ(begun_count, 11u) << "each had its turn";
}

TEST_F(JobsTest, AnImportThatFailsLeavesNothing) {
  ASSERT_TRUE(jobs_.begin_import("o1", [] {}).ok());
  const KeptFiles files = keep("upload", "package");
  EXPECT_EQ(jobs_.add({"o1", "p", "n", "n.nnp", false, "not json"}, files).error().code, Code::kInternal);
  jobs_.release_blobs(files.blobs());
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
  for (const std::string_view part :
       {"\"executors\":[", "\"name\":\"E\",", "\"inputs\":[", "-1", ",\"outputs\":[]"}) {
    std::string bad = good;
    bad.replace(bad.find(part), part.size(), part == "-1" ? "null" : "");
    EXPECT_FALSE(read_interface(bad).ok()) << bad;
  }
}

constexpr const char* kIndex = R"({"jobs":[{"name":"a/b","project":"p:q","model":{"name":"results.nnp",
  "offset":0,"size":5},"parts":[{"kind":"file","name":"log.txt","offset":5,"size":3},
  {"kind":"rows","name":"t","offset":8,"size":2,"first_row":0,"rows":1}],"results":{"folder":"a"}}],
  "warnings":["w"]})";

TEST_F(JobsTest, AnImportThatFillsTheDiskCanBeTakenBack) {
  const auto plan = read_import_index(kIndex, 10);
  for (std::size_t room_count = 0; room_count < 4; ++room_count) {
    MemoryBlobStore blobs;
    blobs.fill_up_after(room_count);
    Jobs jobs(*store_, blobs, clock_);
    ASSERT_TRUE(jobs.begin_import("o1", [] {}).ok());
    KeptFiles files;
    Status kept = jobs.keep_parts(*sealed_memfd("x", bytes_of("modellogr1")), plan->jobs[0].files, files);
    if (kept.ok())
      kept = jobs.keep_files(*sealed_memfd("u", bytes_of("u")), *sealed_memfd("p", bytes_of("p")), files);
    EXPECT_EQ(kept.error().text, "no space is left for model files");
    EXPECT_EQ(blobs.list()->size(), room_count);
    jobs.release_blobs(files.blobs());
    jobs.end_import();
    EXPECT_EQ(blobs.list()->size(), 0U) << "of " << room_count;
  }
}

TEST_F(JobsTest, PartsBecomeFilesThatGoWithTheirJob) {
  const auto plan = read_import_index(kIndex, 10);
  ASSERT_TRUE(plan.ok()) << describe(plan.error());
  const PlannedJob& planned = plan->jobs[0];
  ASSERT_TRUE(jobs_.begin_import("o1", [] {}).ok());
  KeptFiles files = keep("model", "package");
  ASSERT_TRUE(jobs_.keep_parts(*sealed_memfd("x", bytes_of("modellogr1")), planned.files, files).ok());
  const auto added =
      jobs_.add_all({{{"o1", "p", "n", "n.nnp", true, kDescription, planned.results}, files}}, nullptr);
  ASSERT_TRUE(added.ok());
  jobs_.end_import();
  const JobRecord job = *jobs_.find(added->front().id);
  EXPECT_EQ(job.results, R"({"folder":"a"})");
  EXPECT_EQ(blobs_count(), 4u);
  const auto rows = jobs_.files(job);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(text_of(Mapping::map(jobs_.load(rows->front().blob_hash)->get())->bytes()), "log");
  EXPECT_EQ(rows->back().rows_count, 1);
  ASSERT_TRUE(jobs_.remove_abandoned(1'000'000).ok());
  EXPECT_EQ(blobs_count(), 4u);
  ASSERT_TRUE(jobs_.remove(job).ok());
  EXPECT_EQ(blobs_count(), 0u);
}

TEST_F(JobsTest, AProjectGoesWholeOrNotAtAll) {
  const JobRecord one = import("upload", "package");
  import("upload", "other");
  const auto number = store_->add_api({0, "x", "o1", ExecutionType::kPerRequest, true, "{}", "v1", 1, 1});
  ASSERT_TRUE(store_->add_version({*number, "v1", one.id, 1}).ok());
  EXPECT_EQ(jobs_.remove_project("o1", "p").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(jobs_.list("o1", "p", {})->size(), 2u);
  ASSERT_TRUE(store_->delete_api(*number, 2).ok());
  EXPECT_EQ(jobs_.remove_project("o2", "p").error().code, Code::kNotFound);
  EXPECT_EQ(*jobs_.remove_project("o1", "p"), 2);
  EXPECT_EQ(jobs_.remove_project("o1", "p").error().code, Code::kNotFound);
  EXPECT_EQ(blobs_count(), 0u);
}

TEST(ImportIndex, NamesAreMadeGoodAndEverythingElseMustBe) {
  const auto plan = read_import_index(kIndex, 10);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->jobs[0].name, "a_b");
  EXPECT_EQ(plan->jobs[0].project, "p_q");
  EXPECT_EQ(plan->warnings, std::vector<std::string>{"w"});
  const auto upload = read_import_index(
      R"({"jobs":[{"name":"m","project":"","model":{"name":"m.nnp","upload":true},"parts":[],"results":{}}],
        "warnings":[]})",
      0);
  ASSERT_TRUE(upload.ok());
  EXPECT_TRUE(upload->jobs[0].model_is_upload);
  EXPECT_EQ(upload->jobs[0].results, "");
  EXPECT_EQ(upload->jobs[0].project, "");
  EXPECT_EQ(read_import_index(kIndex, 9).error().code, Code::kInternal);  // a part lies outside
  const std::string good = kIndex;
  const auto spoiled = [&](const std::string& what, const std::string& with) {
    std::string text = good;
    return read_import_index(text.replace(text.find(what), what.size(), with), 10);
  };
  EXPECT_TRUE(spoiled("rows\":1", "rows\":2").ok());
  for (const auto& [what, with] : std::vector<std::pair<std::string, std::string>>{
           {"\"offset\":5", "\"offset\":-5"},
           {"\"offset\":5", "\"offset\":18446744073709551615"},
           {"\"size\":3", "\"size\":18446744073709551615"},
           {"\"size\":3", "\"size\":1.5"},
           {"\"kind\":\"file\"", "\"kind\":\"exe\""},
           {"rows\":1", "rows\":99999999"},
           {"first_row\":0", "first_row\":1"},
           {"\"offset\":0,\"size\":5", "\"offset\":0,\"size\":6"},  // a byte that is in two parts
           {"{\"folder\":\"a\"}", "[]"},
           {"[\"w\"]", "[1]"},
           {"\"name\":\"a/b\",", ""},
           {"{\"folder\":\"a\"}", "{\"folder\":\"" + std::string(40'000, 'a') + "\"}"}})
    EXPECT_FALSE(spoiled(what, with).ok()) << what << " " << with;
  const auto of_size = [&](const std::string& kind, std::uint64_t size_bytes) {
    std::string text = good;
    text.replace(text.find("\"kind\":\"file\""), 13, "\"kind\":\"" + kind + "\"");
    text.replace(text.find("\"size\":3"), 8, "\"size\":" + std::to_string(size_bytes));
    return read_import_index(text, limits::kPackageBytes).ok();
  };
  for (const char* kind : {"curves", "confusion", "columns"}) {
    EXPECT_TRUE(of_size(kind, limits::kResultJsonBytes)) << kind;
    EXPECT_FALSE(of_size(kind, limits::kResultJsonBytes + 1)) << kind;
  }
  EXPECT_TRUE(of_size("file", limits::kEvaluationFileBytes));
  EXPECT_FALSE(of_size("file", limits::kEvaluationFileBytes + 1));
  for (const char* bad : {"", "[]", "{}", R"({"jobs":[],"warnings":[]})", R"({"jobs":[1],"warnings":[]})"})
    EXPECT_FALSE(read_import_index(bad, 10).ok()) << bad;
}

TEST(Description, FactsAreReadAndEverythingElseIsRefused) {
  const auto facts = read_description(kDescription);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->cost_parameter, 123);
  EXPECT_EQ(facts->reasons, std::vector<std::string>{"slow"});
  const auto boastful =
      read_description(R"({"statistics":{"CostParameter":1},"memory_bytes":9223372036854775807,)"
                       R"("per_request":{"reasons":[]}})");
  EXPECT_EQ(boastful->memory_bytes, limits::kModelMemoryBytes);  // summed up it would be no number
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
