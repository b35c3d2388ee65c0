#include "server/control_plane/usage/usage.h"

#include <gtest/gtest.h>

namespace noren::server {
namespace {

class UsageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        store_->add_owner({"o1", OwnerKind::kPerson, "jun", OwnerPlan::kFree, Role::kUser, "", 0}).ok());
    JobRecord job;
    job.id = "job";
    job.owner_id = "o1";
    ASSERT_TRUE(store_->add_job(job).ok());
    number_ = *store_->add_api({0, "x", "o1", ExecutionType::kPerRequest, true, "{}", "v1", 1, 1});
    ASSERT_TRUE(store_->add_version({number_, "v1", "job", 1}).ok());
  }
  std::unique_ptr<Store> store_ = make_memory_store();
  std::uint32_t number_ = 0;
};

TEST_F(UsageTest, CountsOfAServerAreAbsoluteAndServersAddUp) {
  Usage first(*store_, "s1", 500);
  ASSERT_TRUE(first.put({{number_, 10, "", {3}}}).ok());
  ASSERT_TRUE(first.put({{number_, 10, "", {5}}}).ok());
  ASSERT_TRUE(first.put({{number_, 10, "", {5}}}).ok());
  Usage second(*store_, "s2", 500);
  ASSERT_TRUE(second.fold_others().ok());
  ASSERT_TRUE(second.put({{number_, 10, "", {1}}, {number_, 11, "", {1}}}).ok());
  EXPECT_EQ(second.total(number_)->succeeded, 7);
  EXPECT_EQ(second.list(number_, 10, 11)->front().counts.succeeded, 6);
}

TEST_F(UsageTest, TotalsOfManyApisAreThoseOfEach) {
  Usage usage(*store_, "s1", 500);
  const std::uint32_t second =
      *store_->add_api({0, "y", "o1", ExecutionType::kDedicated, true, "{}", "v1", 1, 1});
  const std::uint32_t unused =
      *store_->add_api({0, "z", "o1", ExecutionType::kDedicated, true, "{}", "v1", 1, 1});
  ASSERT_TRUE(usage.put({{number_, 10, "", {3}}, {number_, 11, "", {4}}, {second, 10, "", {5}}}).ok());
  ASSERT_TRUE(usage
                  .put_instance_time({{second, 0, false, {0, 7'000'000}},
                                      {second, 1, false, {0, 2'000'000}},
                                      {second, 0, true, {90'000'000, 91'000'000}}})
                  .ok());
  auto totals = *usage.totals({number_, second, unused});
  EXPECT_EQ(totals[number_].counts.succeeded, 7);
  EXPECT_EQ(totals[number_].seconds.cpu_s, 0);
  EXPECT_EQ(totals[second].counts.succeeded, usage.total(second)->succeeded);
  EXPECT_EQ(totals[second].seconds.cpu_s, 9);
  EXPECT_EQ(totals[second].seconds.gpu_s, 1);
  EXPECT_FALSE(totals.contains(unused));
  EXPECT_EQ(usage.totals({number_})->size(), 1U);
}

TEST_F(UsageTest, ExactlyTheFreeRequestsAreLeasedOverAllServers) {
  std::int64_t granted = 0;
  for (int server = 0;; ++server) {
    Usage usage(*store_, "s" + std::to_string(server), 500);
    const auto grant = usage.lease("x", 100);
    ASSERT_TRUE(grant.ok());
    if (*grant == 0) break;
    granted += *grant;
  }
  EXPECT_EQ(granted, 500);
}

TEST_F(UsageTest, WhatIsGivenBackCanBeLeasedAgain) {
  Usage usage(*store_, "s1", 2);
  EXPECT_EQ(*usage.lease("x", 5), 1);
  EXPECT_EQ(*usage.lease("x", 5), 1);
  EXPECT_EQ(*usage.lease("x", 5), 0);
  ASSERT_TRUE(usage.give_back("x", 1).ok());
  EXPECT_EQ(*usage.lease("x", 5), 1);
  EXPECT_EQ(*usage.lease("x", 5), 0);
}

TEST_F(UsageTest, WhatIsLeftCountsSuccesses) {
  const Usage usage(*store_, "s1", 500);
  EXPECT_EQ(usage.free_left({.succeeded = 499, .invalid = 7}), 1);
  EXPECT_EQ(usage.free_left({.succeeded = 501}), 0);
}

TEST_F(UsageTest, AnApiThatIsGoneLeasesNothing) {
  Usage usage(*store_, "s1", 500);
  EXPECT_EQ(usage.lease("gone", 5).error().code, Code::kNotFound);
  EXPECT_TRUE(usage.give_back("gone", 5).ok());
}

}  // namespace
}  // namespace noren::server
