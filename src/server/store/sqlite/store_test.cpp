// The contract of Store, held by every implementation; then what only a file can get wrong.
#include "server/store/store.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "server/store/schema.h"
#include "server/store/sqlite/sqlite_store.h"

namespace noren::server {
namespace {

class StoreContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "memory") {
      store_ = make_memory_store();
    } else {
      auto opened = open_sqlite_store(":memory:");
      ASSERT_TRUE(opened.ok()) << describe(opened.error());
      store_ = std::move(*opened);
    }
    ASSERT_TRUE(store_->add_owner(owner("o1", "admin")).ok());
    ASSERT_TRUE(store_->add_owner(owner("o2", "jun")).ok());
  }
  static OwnerRecord owner(const std::string& id, const std::string& name) {
    return {id, OwnerKind::kPerson, name, OwnerPlan::kFree, Role::kUser, "hash", 5};
  }
  JobRecord job(const std::string& id, const std::string& owner_id = "o1") {
    return {0,  id, owner_id, "project", "名前 " + id, "m.nnp", "up-" + id, "pack-" + id,
            10, 7,  "{}",     false,     100,          55};
  }
  /// An API with a job and a first version "v1".
  std::uint32_t publish(const std::string& id, const std::string& owner_id = "o1", WallUs created_us = 1000) {
    EXPECT_TRUE(store_->add_job(job("job-" + id, owner_id)).ok());
    const auto number = store_->add_api(
        {0, id, owner_id, ExecutionType::kDedicated, true, "{\"a\":1}", "v1", created_us, created_us});
    EXPECT_TRUE(number.ok());
    EXPECT_TRUE(store_->add_version({*number, "v1", "job-" + id, created_us}).ok());
    return *number;
  }
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, MetaIsSetAndReplaced) {
  EXPECT_FALSE((*store_->find_meta("a")).has_value());
  ASSERT_TRUE(store_->set_meta("a", "1").ok());
  ASSERT_TRUE(store_->set_meta("a", "2").ok());
  EXPECT_EQ(**store_->find_meta("a"), "2");
}

TEST_P(StoreContract, OwnersAreFoundByIdAndName) {
  EXPECT_EQ(store_->add_owner(owner("o3", "jun")).error().code, Code::kAlreadyExists);
  const auto found = store_->find_owner_by_name("jun");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->id, "o2");
  EXPECT_EQ((*found)->created_us, 5);
  ASSERT_TRUE(store_->set_owner_plan("o2", OwnerPlan::kContract).ok());
  EXPECT_EQ((*store_->find_owner("o2"))->plan, OwnerPlan::kContract);
  EXPECT_EQ((*store_->find_owner("o1"))->plan, OwnerPlan::kFree);
  EXPECT_FALSE((*store_->find_owner("nobody")).has_value());
}

TEST_P(StoreContract, TokensAreFoundByDigest) {
  ASSERT_TRUE(store_->add_token({"t1", "o1", "first", "d1", 1, 9}).ok());
  EXPECT_EQ(store_->add_token({"t2", "o1", "second", "d1", 1, 0}).error().code, Code::kAlreadyExists);
  EXPECT_EQ((*store_->find_token("d1"))->expires_us, 9);
  EXPECT_FALSE((*store_->find_token("d2")).has_value());
}

TEST_P(StoreContract, JobsAreListedNewestFirstInPages) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store_->add_job(job(id)).ok());
  ASSERT_TRUE(store_->add_job(job("d", "o2")).ok());
  const auto first = store_->list_jobs("o1", "", {0, 2});
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->size(), 2u);
  EXPECT_EQ(first->front().id, "c");
  EXPECT_EQ(first->front().name, "名前 c");
  EXPECT_TRUE(first->front().description.empty());
  const auto rest = store_->list_jobs("o1", "", {first->back().number, 2});
  ASSERT_EQ(rest->size(), 1u);
  EXPECT_EQ(rest->front().id, "a");
  EXPECT_EQ(store_->list_jobs("", "", {0, 100})->size(), 4u);
  EXPECT_EQ((*store_->find_job("b"))->description, "{}");
}

TEST_P(StoreContract, AJobsResultsAreInListsAndItsFilesGoWithIt) {
  JobRecord with_results = job("a");
  with_results.results = "{\"epochs\":3}";
  ASSERT_TRUE(store_->add_job(with_results).ok());
  ASSERT_TRUE(store_->add_job(job("b")).ok());
  ASSERT_TRUE(store_->add_job_file({"a", 2, "rows", "名.csv", "blob-2", 70, 10, 20}).ok());
  ASSERT_TRUE(store_->add_job_file({"a", 1, "file", "log.txt", "blob-1", 7, 0, 0}).ok());
  ASSERT_TRUE(store_->add_job_file({"b", 1, "file", "log.txt", "blob-1", 7, 0, 0}).ok());
  EXPECT_EQ(store_->add_job_file({"a", 1, "file", "n", "b", 1, 0, 0}).error().code, Code::kAlreadyExists);
  EXPECT_EQ((*store_->find_job("a"))->results, with_results.results);
  EXPECT_EQ(store_->list_jobs("o1", "", {0, 10})->back().results, with_results.results);
  EXPECT_EQ(store_->list_jobs("o1", "", {0, 10})->front().results, "");
  const auto files = store_->list_job_files("a");
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ(files->front().name, "log.txt");
  EXPECT_EQ(files->back().kind, "rows");
  EXPECT_EQ(files->back().name, "名.csv");
  EXPECT_EQ(files->back().blob_hash, "blob-2");
  EXPECT_EQ(files->back().size_bytes, 70);
  EXPECT_EQ(files->back().first_row, 10);
  EXPECT_EQ(files->back().rows_count, 20);
  EXPECT_TRUE(*store_->blob_is_used("blob-2"));
  ASSERT_TRUE(store_->delete_job("a").ok());
  EXPECT_TRUE(store_->list_job_files("a")->empty());
  EXPECT_FALSE(*store_->blob_is_used("blob-2"));
  EXPECT_TRUE(*store_->blob_is_used("blob-1"));
}

TEST_P(StoreContract, ProjectsAreListedByTheirNewestJob) {
  for (const auto& [id, owner, project] : {std::tuple("a", "o1", "iris"), std::tuple("b", "o1", "桜"),
                                           std::tuple("c", "o1", "iris"), std::tuple("d", "o2", "桜")}) {
    JobRecord made = job(id, owner);
    made.project = project;
    made.created_us = 100 + *id;
    ASSERT_TRUE(store_->add_job(made).ok());
  }
  const auto all = store_->list_projects("o1", {0, 10});
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->front().name, "iris");
  EXPECT_EQ(all->front().jobs_count, 2);
  EXPECT_EQ(all->front().newest_us, 100 + 'c');
  EXPECT_EQ(all->back().name, "桜");
  EXPECT_EQ(all->back().jobs_count, 1);
  EXPECT_EQ(store_->list_projects("o1", {0, 1})->size(), 1U);
  EXPECT_EQ(store_->list_projects("o1", {all->front().newest_number, 10})->front().name, "桜");
  const auto of_project = store_->list_jobs("o1", "iris", {0, 10});
  ASSERT_EQ(of_project->size(), 2U);
  EXPECT_EQ(of_project->front().id, "c");
  EXPECT_TRUE(store_->list_jobs("o1", "none", {0, 10})->empty());
}

TEST_P(StoreContract, AJobsUseIsKnownByItsVersions) {
  publish("x");
  ASSERT_TRUE(store_->add_job(job("left")).ok());
  JobRecord kept = job("kept");
  kept.kept = true;
  ASSERT_TRUE(store_->add_job(kept).ok());
  EXPECT_TRUE(*store_->job_is_used("job-x"));
  EXPECT_FALSE(*store_->job_is_used("left"));
  EXPECT_TRUE(store_->unused_jobs(100)->empty());
  EXPECT_EQ(*store_->unused_jobs(101), std::vector<std::string>{"left"});
  EXPECT_TRUE(*store_->blob_is_used("pack-left"));
  EXPECT_TRUE(*store_->blob_is_used("up-left"));
  ASSERT_TRUE(store_->delete_job("left").ok());
  EXPECT_FALSE(*store_->blob_is_used("up-left"));
}

TEST_P(StoreContract, AnApiShowsItsJobAndOwner) {
  const std::uint32_t number = publish("x", "o2");
  const auto row = *store_->find_api("x");
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->api.number, number);
  EXPECT_EQ(row->api.type, ExecutionType::kDedicated);
  EXPECT_EQ(row->api.settings, "{\"a\":1}");
  EXPECT_EQ(row->name, "名前 job-x");
  EXPECT_EQ(row->package_hash, "pack-job-x");
  EXPECT_EQ(row->cost_parameter, 7);
  EXPECT_EQ(row->memory_bytes, 55);
  EXPECT_EQ((*store_->find_job("job-x"))->memory_bytes, 55);
  EXPECT_EQ(row->owner_plan, OwnerPlan::kFree);
}

TEST_P(StoreContract, AnIdIsUniqueUntilItsApiIsDeletedAndNumbersAreNeverGivenTwice) {
  const std::uint32_t first = publish("x");
  EXPECT_EQ(store_->add_api({0, "x", "o1", ExecutionType::kPerRequest, true, "", "v1", 1, 1}).error().code,
            Code::kAlreadyExists);
  ASSERT_TRUE(store_->add_key({"k1", first, "n", "digest", "sealed", 1}).ok());
  ASSERT_TRUE(store_->delete_api(first, 2000).ok());
  EXPECT_FALSE((*store_->find_api("x")).has_value());
  EXPECT_TRUE(store_->list_keys(0)->empty());
  EXPECT_TRUE(store_->list_versions(first)->empty());
  EXPECT_FALSE(*store_->job_is_used("job-x"));
  ASSERT_TRUE(store_->delete_job("job-x").ok());
  const std::uint32_t second = publish("x");
  EXPECT_GT(second, first);
  EXPECT_EQ(*store_->count_apis_created("o1", 1000), 2);
  EXPECT_EQ(*store_->count_apis_created("o1", 1001), 0);
}

TEST_P(StoreContract, ApisAreListedNewestFirstByOwner) {
  publish("a");
  publish("b", "o2");
  const std::uint32_t c = publish("c");
  EXPECT_EQ(store_->list_apis("", {0, 10})->size(), 3u);
  const auto own = store_->list_apis("o1", {0, 10});
  ASSERT_EQ(own->size(), 2u);
  EXPECT_EQ(own->front().api.id, "c");
  EXPECT_EQ(store_->list_apis("", {c, 1})->front().api.id, "b");
}

TEST_P(StoreContract, AnUpdateChangesWhatMayChange) {
  const std::uint32_t number = publish("x");
  ASSERT_TRUE(store_->add_job(job("next")).ok());
  ASSERT_TRUE(store_->add_version({number, "v2", "next", 1500}).ok());
  ASSERT_TRUE(
      store_->update_api({number, "", "", ExecutionType::kPerRequest, false, "{}", "v2", 0, 1600}).ok());
  const auto row = *store_->find_api("x");
  EXPECT_EQ(row->api.type, ExecutionType::kPerRequest);
  EXPECT_FALSE(row->api.enabled);
  EXPECT_EQ(row->job_id, "next");
  EXPECT_EQ(row->api.created_us, 1000);
  EXPECT_EQ(row->api.modified_us, 1600);
  const auto versions = store_->list_versions(number);
  ASSERT_EQ(versions->size(), 2u);
  EXPECT_EQ(versions->front().label, "v2");
  EXPECT_EQ(store_->add_version({number, "v2", "next", 1500}).error().code, Code::kAlreadyExists);
  const std::uint32_t other = publish("y");
  ASSERT_TRUE(store_->delete_version(number, versions->back().label).ok());
  ASSERT_TRUE(store_->delete_version(number, "no such one").ok());
  EXPECT_EQ(store_->list_versions(number)->size(), 1u);
  EXPECT_EQ(store_->list_versions(other)->size(), 1u);
  EXPECT_FALSE(*store_->job_is_used("job-x"));
}

TEST_P(StoreContract, KeysBelongToTheirApi) {
  const std::uint32_t a = publish("a"), b = publish("b");
  ASSERT_TRUE(store_->add_key({"k2", a, "second", "d2", "s2", 2}).ok());
  ASSERT_TRUE(store_->add_key({"k1", a, "first", "d1", "s1", 1}).ok());
  ASSERT_TRUE(store_->add_key({"k3", b, "third", "d1", "s3", 1}).ok());
  EXPECT_EQ(store_->add_key({"k3", b, "again", "d", "s", 1}).error().code, Code::kAlreadyExists);
  const auto own = store_->list_keys(a);
  ASSERT_EQ(own->size(), 2u);
  EXPECT_EQ(own->front().name, "first");
  EXPECT_EQ(store_->list_keys(0)->size(), 3u);
}

TEST_P(StoreContract, UsageIsAbsoluteForAServerAndAddsUpOverServers) {
  const std::uint32_t a = publish("a");
  ASSERT_TRUE(store_->put_usage({{a, 10, "s1", {5, 1, 2, 3, 4, 6}}, {a, 11, "s1", {2}}}).ok());
  ASSERT_TRUE(store_->put_usage({{a, 10, "s1", {5, 1, 2, 3, 4, 6}}, {a, 10, "s2", {3, 1}}}).ok());
  ASSERT_TRUE(store_->put_usage({{a, 10, "s1", {4, 2}}}).ok());
  EXPECT_EQ(store_->total_usage({a})->at(a).succeeded, 10);
  const auto days = store_->list_usage(a, 10, 10);
  ASSERT_EQ(days->size(), 1u);
  const OutcomeCounts& counts = days->front().counts;
  EXPECT_EQ(counts.succeeded, 8);
  EXPECT_EQ(counts.refused, 3);
  EXPECT_EQ(counts.invalid, 2);
  EXPECT_EQ(counts.timed_out, 3);
  EXPECT_EQ(counts.failed, 4);
  EXPECT_EQ(counts.abandoned, 6);
  ASSERT_TRUE(store_->fold_other_servers("s2").ok());
  ASSERT_TRUE(store_->fold_other_servers("s2").ok());
  EXPECT_EQ(store_->total_usage({a})->at(a).succeeded, 10);
  ASSERT_TRUE(store_->put_usage({{a, 10, "s3", {1}}}).ok());
  ASSERT_TRUE(store_->fold_other_servers("s4").ok());
  EXPECT_EQ(store_->total_usage({a})->at(a).succeeded, 11);
  EXPECT_EQ(store_->total_usage({a})->at(a).refused, 3);
  EXPECT_EQ(store_->list_usage(a, 0, 20)->size(), 2u);
  ASSERT_TRUE(store_->put_usage({{a + 1, 10, "s1", {9}}, {a, 12, "s1", {1}}}).ok());
  EXPECT_EQ(store_->total_usage({a + 1})->size(), 0U);
  EXPECT_EQ(store_->total_usage({a})->at(a).succeeded, 12);
  EXPECT_TRUE(store_->total_usage({})->empty());
}

TEST_P(StoreContract, InstanceTimeOnlyGrowsAndIsKeptForEachServer) {
  const std::uint32_t a = publish("a"), b = publish("b");
  const auto row = [](std::uint32_t number, int slot, WallUs from_us, WallUs until_us) {
    return InstanceTime{number, slot, slot == 1, {from_us, until_us}};
  };
  ASSERT_TRUE(store_->put_instance_time("s1", {row(a, 0, 10, 20), row(a, 1, 10, 20), row(b, 0, 5, 6)}).ok());
  ASSERT_TRUE(store_->put_instance_time("s1", {row(a, 0, 10, 35), row(a, 0, 40, 41)}).ok());
  ASSERT_TRUE(store_->put_instance_time("s1", {row(a, 0, 10, 20)}).ok());  // an old one comes again
  ASSERT_TRUE(store_->put_instance_time("s2", {row(a, 0, 10, 15), row(b + 1, 0, 1, 2)}).ok());
  auto rows = *store_->list_instance_time({a});
  std::sort(rows.begin(), rows.end(), [](const InstanceTime& x, const InstanceTime& y) {
    return std::tuple(x.slot, x.span.from_us, x.span.until_us) <
           std::tuple(y.slot, y.span.from_us, y.span.until_us);
  });
  EXPECT_EQ(rows, (std::vector<InstanceTime>{row(a, 0, 10, 15), row(a, 0, 10, 35), row(a, 0, 40, 41),
                                             row(a, 1, 10, 20)}));
  EXPECT_TRUE(store_->list_instance_time({b + 1})->empty());
  EXPECT_TRUE(store_->list_instance_time({})->empty());
  EXPECT_EQ(store_->list_instance_time({b})->size(), 1U);
  EXPECT_EQ(store_->list_instance_time({a, b})->size(), 5U);
  ASSERT_TRUE(store_->delete_api(a, 2000).ok());
  EXPECT_EQ(store_->list_instance_time({a})->size(), 4U);  // it is still to be billed
}

TEST_P(StoreContract, LeasesAddUp) {
  const std::uint32_t a = publish("a"), b = publish("b");
  EXPECT_EQ(*store_->leased(a), 0);
  ASSERT_TRUE(store_->add_lease(a, "s1", 64).ok());
  ASSERT_TRUE(store_->add_lease(a, "s1", -4).ok());
  ASSERT_TRUE(store_->add_lease(a, "s2", 10).ok());
  ASSERT_TRUE(store_->add_lease(b, "s2", 1).ok());
  EXPECT_EQ(*store_->leased(a), 70);
}

TEST_P(StoreContract, ATransactionIsAllOrNothing) {
  const Status failed = store_->transaction([&]() -> Status {
    TRY(store_->add_job(job("a")));
    TRY(store_->set_meta("m", "1"));
    return invalid("no");
  });
  EXPECT_EQ(failed.error().text, "no");
  EXPECT_FALSE((*store_->find_job("a")).has_value());
  EXPECT_FALSE((*store_->find_meta("m")).has_value());
  const Status done = store_->transaction([&]() -> Status {
    TRY(store_->add_job(job("a")));
    return Ok{};
  });
  EXPECT_TRUE(done.ok());
  EXPECT_TRUE((*store_->find_job("a")).has_value());
}

TEST_P(StoreContract, ABrokenUniquenessInATransactionRollsItBack) {
  const Status failed = store_->transaction([&]() -> Status {
    TRY(store_->add_job(job("a")));
    TRY(store_->add_owner(owner("o9", "admin")));
    return Ok{};
  });
  EXPECT_EQ(failed.error().code, Code::kAlreadyExists);
  EXPECT_FALSE((*store_->find_job("a")).has_value());
}

TEST_P(StoreContract, AuditIsListedNewestFirst) {
  ASSERT_TRUE(store_->add_audit({1, "o1", "127.0.0.1", "r1", "publish", "x", ""}).ok());
  ASSERT_TRUE(store_->add_audit({2, "o1", "127.0.0.1", "r2", "delete", "x", "d"}).ok());
  const auto audit = store_->list_audit(1);
  ASSERT_EQ(audit->size(), 1u);
  EXPECT_EQ(audit->front().action, "delete");
  EXPECT_EQ(store_->list_audit(10)->size(), 2u);
}

TEST_P(StoreContract, IdempotentAnswersAreKeptAndForgotten) {
  ASSERT_TRUE(store_->add_idempotency({"o1", "key", "print", "answer", 10}).ok());
  EXPECT_EQ(store_->add_idempotency({"o1", "key", "print", "answer", 10}).error().code, Code::kAlreadyExists);
  EXPECT_EQ((*store_->find_idempotency("o1", "key"))->answer, "answer");
  EXPECT_FALSE((*store_->find_idempotency("o2", "key")).has_value());
  ASSERT_TRUE(store_->forget_idempotency(10).ok());
  EXPECT_TRUE((*store_->find_idempotency("o1", "key")).has_value());
  ASSERT_TRUE(store_->forget_idempotency(11).ok());
  EXPECT_FALSE((*store_->find_idempotency("o1", "key")).has_value());
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, ::testing::Values("memory", "sqlite"),
                         [](const auto& instance) { return std::string(instance.param); });

class SqliteFile : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/noren-store-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/a b=c;d.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_, path_;
};

TEST_F(SqliteFile, WhatWasWrittenIsThereAfterReopeningAndPrivate) {
  {
    auto store = open_sqlite_store(path_);
    ASSERT_TRUE(store.ok()) << describe(store.error());
    ASSERT_TRUE((*store)->set_meta("a", "1").ok());
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      struct stat status {};
      ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 077, 0u) << entry.path();
    }
  }
  auto store = open_sqlite_store(path_);
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(**(*store)->find_meta("a"), "1");
}

TEST_F(SqliteFile, ADatabaseOfTheFirstSchemaIsBroughtForward) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  const std::string first(schema_files().front().sql);
  const std::string rows =
      "CREATE TABLE schema_version (version BIGINT PRIMARY KEY); INSERT INTO schema_version VALUES (1);"
      "INSERT INTO owners VALUES ('o', 'person', 'n', 'free', 'user', '', 1);"
      "INSERT INTO jobs VALUES (1, 'j', 'o', 'p', 'n', 'f', 'u', 'k', 3, 4, '{}', 1, 5);";
  ASSERT_EQ(sqlite3_exec(raw, (first + rows).c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(raw);
  const auto store = open_sqlite_store(path_);
  ASSERT_TRUE(store.ok()) << describe(store.error());
  const auto job = *(*store)->find_job("j");
  ASSERT_TRUE(job.has_value());
  EXPECT_EQ(job->created_us, 5);
  EXPECT_EQ(job->results, "");
  EXPECT_TRUE((*store)->list_job_files("j")->empty());
}

TEST_F(SqliteFile, ANewerSchemaIsRefused) {
  ASSERT_TRUE(open_sqlite_store(path_).ok());
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(raw, "INSERT INTO schema_version (version) VALUES (9999)", nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(raw);
  const auto store = open_sqlite_store(path_);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Code::kFailedPrecondition);
  EXPECT_NE(store.error().text.find("newer"), std::string::npos);
}

TEST_F(SqliteFile, AFileThatIsNoDatabaseIsRefused) {
  std::ofstream(path_) << std::string(8192, 'x');
  EXPECT_FALSE(open_sqlite_store(path_).ok());
}

}  // namespace
}  // namespace noren::server
