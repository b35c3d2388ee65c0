#include "server/control_plane/apis/versions.h"

#include <gtest/gtest.h>

namespace noren::server {
namespace {

constexpr WallUs kJuly = 1'594'098'000'000'000;  // 2020-07-07

ModelInterface takes(std::int64_t numbers_count) {
  return {{{"Executor", {{"x", "float32", {1, numbers_count}}}, {{"y", "float32", {1, 3}}}}}};
}

class VersionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        store_->add_owner({"o", OwnerKind::kPerson, "o", OwnerPlan::kContract, Role::kUser, "", 0}).ok());
    rules_.versions_kept_count = 3;
    versions_.emplace(*store_, clock_, rules_);
  }
  enum class Kept : std::uint8_t { kNo, kYes };
  JobRecord job(const std::string& id, Kept kept = Kept::kNo) {
    JobRecord record;
    record.id = id;
    record.owner_id = "o";
    record.upload_hash = "u-" + id;
    record.package_hash = "p-" + id;
    record.cost_parameter = 1;
    record.memory_bytes = 77;
    record.kept = kept == Kept::kYes;
    EXPECT_TRUE(store_->add_job(record).ok());
    return record;
  }
  ApiRow publish(ExecutionType type = ExecutionType::kPerRequest) {
    return apis_.publish(owner_, {.job = job("first"), .type = type}, nullptr)->row;
  }
  static NewVersion with(const JobRecord& job) { return {job, {}, takes(4), takes(4)}; }
  Versions::Switched replace(const JobRecord& job) {
    clock_.advance_ms(1);
    const auto plan = versions_->plan_new(*apis_.find(id()), with(job));
    EXPECT_TRUE(plan.ok()) << plan.error().text;
    const auto switched = versions_->commit(*plan);
    EXPECT_TRUE(switched.ok()) << switched.error().text;
    return *switched;
  }
  std::string id() { return apis_.list("", {0, 1})->front().api.id; }

  const Principal owner_{"o", "o", false, Plan::kPaid};
  std::unique_ptr<Store> store_ = make_memory_store();
  Keyring keyring_ = *Keyring::from_master_key(Keyring::make_master_key());
  ManualClock clock_{kJuly};
  ApiRules rules_{1000, 2000, 30'000, 128, 67'108'864, 10};
  Apis apis_{*store_, keyring_, clock_, rules_};
  std::optional<Versions> versions_;
};

TEST_F(VersionsTest, APlanChangesNothingAndItsCommitIsInTheNextCatalog) {
  const ApiRow row = publish();
  clock_.advance_ms(5);
  const auto plan = versions_->plan_new(row, with(job("second")));
  ASSERT_TRUE(plan.ok()) << plan.error().text;
  EXPECT_EQ(plan->trial.api_id, row.api.id);
  EXPECT_EQ(plan->trial.version_label, format_version(clock_.wall_us()));
  EXPECT_EQ(plan->trial.package_hash, "p-second");
  EXPECT_EQ(plan->trial.memory_bytes, 77);
  EXPECT_EQ((*apis_.build_catalog())->find(row.api.id)->package_hash, "p-first");
  EXPECT_EQ(store_->list_versions(row.api.number)->size(), 1u);
  const auto switched = versions_->commit(*plan);
  ASSERT_TRUE(switched.ok());
  EXPECT_EQ(switched->row.job_id, "second");
  const auto catalog = apis_.build_catalog();
  const PublishedApi* api = (*catalog)->find(row.api.id);
  EXPECT_EQ(api->version_label, plan->trial.version_label);
  EXPECT_EQ(api->package_hash, "p-second");
  EXPECT_EQ(api->keys.size(), 1u);
  const auto list = versions_->list(switched->row);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_TRUE(list->front().serves);
  EXPECT_EQ(list->front().job.id, "second");
  EXPECT_FALSE(list->back().serves);
}

TEST_F(VersionsTest, LabelsRiseAlsoWhereTheClockWentBack) {
  const ApiRow row = publish();
  clock_.set_wall_us(kJuly - 1'000'000);
  const auto plan = versions_->plan_new(row, with(job("second")));
  EXPECT_GT(plan->version.label, row.api.version_label);
  EXPECT_EQ(plan->version.label, format_version(plan->version.published_us));
}

TEST_F(VersionsTest, WhatCallersWouldNoticeIsRefusedUnlessItIsMeant) {
  const ApiRow row = publish();
  NewVersion version = with(job("second"));
  version.after = takes(5);
  const auto refused = versions_->plan_new(row, version);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().text.find("its input 'x' has the shape [1,5], not [1,4]"), std::string::npos);
  version.noticed = NoticedChanges::kAccept;
  const auto plan = versions_->plan_new(row, version);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->changes.size(), 1u);
}

TEST_F(VersionsTest, AModelThatIsTooLargeForPerRequestDoesNotReplaceOne) {
  const ApiRow row = publish();
  JobRecord large = job("second");
  large.cost_parameter = rules_.per_request_cost_count;
  EXPECT_EQ(versions_->plan_new(row, with(large)).error().code, Code::kFailedPrecondition);
  ApiRow dedicated = row;
  dedicated.api.type = ExecutionType::kDedicated;
  EXPECT_TRUE(versions_->plan_new(dedicated, with(large)).ok());
}

TEST_F(VersionsTest, OnlySoManyAreKeptAndTheOldestGoesWithItsFiles) {
  publish();
  EXPECT_TRUE(replace(job("second", Kept::kYes)).dropped_labels.empty());
  EXPECT_TRUE(replace(job("third")).dropped_labels.empty());
  const auto fourth = replace(job("fourth"));
  EXPECT_EQ(fourth.dropped_labels.size(), 1u);
  EXPECT_EQ(fourth.released_blobs, (std::vector<std::string>{"u-first", "p-first"}));
  EXPECT_FALSE(store_->find_job("first")->has_value());
  const auto fifth = replace(job("fifth"));  // drops the second, whose job somebody keeps
  EXPECT_EQ(fifth.dropped_labels.size(), 1u);
  EXPECT_TRUE(fifth.released_blobs.empty());
  EXPECT_TRUE(store_->find_job("second")->has_value());
  EXPECT_EQ(versions_->list(fifth.row)->size(), 3u);
}

TEST_F(VersionsTest, TheWayBackLeadsToKeptVersionsAndAddsNone) {
  const ApiRow first = publish();
  const ApiRow second = replace(job("second")).row, third = replace(job("third")).row;
  const auto one_back = versions_->plan_return(third, "");
  ASSERT_TRUE(one_back.ok());
  EXPECT_EQ(one_back->trial.version_label, second.api.version_label);
  EXPECT_EQ(one_back->trial.package_hash, "p-second");
  const ApiRow now = versions_->commit(*one_back)->row;
  EXPECT_EQ(now.job_id, "second");
  EXPECT_EQ(versions_->plan_return(now, "")->trial.version_label, first.api.version_label);
  EXPECT_EQ(versions_->plan_return(now, third.api.version_label)->trial.package_hash, "p-third");
  EXPECT_EQ(versions_->plan_return(now, second.api.version_label).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(versions_->plan_return(now, "20200101_000000000000").error().code, Code::kNotFound);
  EXPECT_EQ(versions_->plan_return(first, "").error().code, Code::kNotFound);
  EXPECT_EQ(versions_->list(now)->size(), 3u);
}

TEST_F(VersionsTest, TheOneThatServesIsNeverDropped) {
  const ApiRow first = publish();
  replace(job("second"));
  const ApiRow third = replace(job("third")).row;
  const ApiRow back = versions_->commit(*versions_->plan_return(third, first.api.version_label))->row;
  EXPECT_EQ(back.job_id, "first");
  rules_.versions_kept_count = 1;
  versions_.emplace(*store_, clock_, rules_);
  const auto fourth = replace(job("fourth"));
  EXPECT_EQ(fourth.dropped_labels.size(), 3u);
  EXPECT_EQ(versions_->list(fourth.row)->size(), 1u);
}

TEST_F(VersionsTest, ACommitMeetsWhatHappenedMeanwhile) {
  const ApiRow row = publish();
  const auto slow = versions_->plan_new(row, with(job("slow")));
  const auto fast = versions_->plan_new(row, with(job("fast")));
  ASSERT_TRUE(versions_->commit(*fast).ok());
  EXPECT_EQ(versions_->commit(*slow).error().code, Code::kFailedPrecondition);
  const auto late = versions_->plan_new(*apis_.find(row.api.id), with(job("late")));
  ASSERT_TRUE(store_->delete_job("late").ok());
  EXPECT_EQ(versions_->commit(*late).error().code, Code::kNotFound);
  EXPECT_EQ(apis_.find(row.api.id)->job_id, "fast");
  const auto failing = versions_->plan_new(*apis_.find(row.api.id), with(job("failing")));
  EXPECT_FALSE(versions_->commit(*failing, [](const auto&) -> Status { return internal("full disk"); }).ok());
  EXPECT_EQ(apis_.find(row.api.id)->job_id, "fast");
  EXPECT_EQ(store_->list_versions(row.api.number)->size(), 2u);
  ASSERT_TRUE(apis_.remove(*apis_.find(row.api.id)).ok());
  EXPECT_EQ(versions_->commit(*failing).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace noren::server
