#include "server/control_plane/apis/apis.h"

#include <gtest/gtest.h>

namespace noren::server {
namespace {

constexpr WallUs kJuly = 1'594'098'000'000'000;  // 2020-07-07

class ApisTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [id, plan] :
         {std::pair("paid", OwnerPlan::kContract), std::pair("free", OwnerPlan::kFree)})
      ASSERT_TRUE(store_->add_owner({id, OwnerKind::kPerson, id, plan, Role::kUser, "", 0}).ok());
  }
  JobRecord job(const std::string& id, std::int64_t cost = 1, const std::string& owner_id = "paid") {
    JobRecord record;
    record.id = id;
    record.owner_id = owner_id;
    record.project = "p";
    record.name = "n";
    record.upload_hash = "u-" + id;
    record.package_hash = "p-" + id;
    record.cost_parameter = cost;
    EXPECT_TRUE(store_->add_job(record).ok());
    return record;
  }
  Result<PublishedNow> publish(const Principal& owner, const NewApi& api) {
    clock_.advance_ms(1);
    return apis_.publish(owner, api, nullptr);
  }
  const Principal paid_{"paid", "paid", false, Plan::kPaid};
  const Principal free_{"free", "free", false, Plan::kFree};
  std::unique_ptr<Store> store_ = make_memory_store();
  Keyring keyring_ = *Keyring::from_master_key(Keyring::make_master_key());
  ManualClock clock_{kJuly};
  ApiRules rules_{1000, 2000, 30'000, 128, 67'108'864, 10, 20, 4, ""};
  Apis apis_{*store_, keyring_, clock_, rules_};
};

TEST_F(ApisTest, APublishedApiIsInTheCatalogWithItsKey) {
  const auto made = publish(paid_, {.job = job("j")});
  ASSERT_TRUE(made.ok()) << made.error().text;
  EXPECT_EQ(made->row.api.id.size(), 16u);
  EXPECT_EQ(made->key.reveal().size(), 36u);
  const auto catalog = apis_.build_catalog();
  ASSERT_TRUE(catalog.ok());
  const PublishedApi* api = (*catalog)->find(made->row.api.id);
  ASSERT_NE(api, nullptr);
  ASSERT_EQ(api->keys.size(), 1u);
  EXPECT_TRUE(
      equal_digests(api->keys[0].digest, digest_of(made->key.reveal(), keyring_.api_key_digest_key())));
  EXPECT_EQ(api->version_label, format_version(clock_.wall_us()));
  EXPECT_EQ(api->package_hash, "p-j");
  EXPECT_EQ(api->owner_plan, Plan::kPaid);
  EXPECT_EQ(api->body_limit_bytes, 1000u);
  EXPECT_EQ(api->deadline_ms, 30'000);
  EXPECT_TRUE(api->enabled);
}

TEST_F(ApisTest, AKeyIsShownAgainAndStoredEncrypted) {
  const auto made = publish(paid_, {.job = job("j"), .key = Secret("an old key of 25 letters.")});
  ASSERT_TRUE(made.ok());
  const auto keys = apis_.keys(made->row);
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->front().key.reveal(), "an old key of 25 letters.");
  const auto records = *store_->list_keys(0);
  EXPECT_EQ(records[0].sealed.find("old key"), std::string::npos);
  EXPECT_EQ(records[0].digest.find("old key"), std::string::npos);
}

TEST_F(ApisTest, AnIdThatIsTakenIsRefusedAndNothingIsLeft) {
  ASSERT_TRUE(publish(paid_, {.job = job("a"), .id = "dasdfadfd"}).ok());
  const auto again = publish(paid_, {.job = job("b"), .id = "dasdfadfd"});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_NE(again.error().text.find("dasdfadfd"), std::string::npos);
  EXPECT_EQ(store_->list_keys(0)->size(), 1u);
  EXPECT_FALSE(*store_->job_is_used("b"));
}

TEST_F(ApisTest, BadIdsAndKeysAreRefused) {
  EXPECT_EQ(publish(paid_, {.job = job("a"), .id = "a/b"}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(publish(paid_, {.job = job("b"), .key = Secret("short")}).error().code, Code::kInvalidArgument);
}

TEST_F(ApisTest, PerRequestTakesModelsUnderTheLimitOnly) {
  EXPECT_TRUE(publish(paid_, {.job = job("a", 67'108'863)}).ok());
  const auto large = publish(paid_, {.job = job("b", 67'108'864)});
  EXPECT_EQ(large.error().code, Code::kFailedPrecondition);
  EXPECT_NE(large.error().text.find("CostParameter is 67108864"), std::string::npos);
  EXPECT_TRUE(publish(paid_, {.job = job("c", 67'108'864), .type = ExecutionType::kDedicated}).ok());
  const auto slow = publish(paid_, {.job = job("d"), .ineligible_reasons = {"one inference took 31 s"}});
  EXPECT_NE(slow.error().text.find("31 s"), std::string::npos);
}

TEST_F(ApisTest, TheFreePlanIsBoundedByMonthAndType) {
  EXPECT_EQ(publish(free_, {.job = job("d"), .type = ExecutionType::kDedicated}).error().code,
            Code::kPermissionDenied);
  for (int i = 0; i < 10; ++i) {
    const auto made = publish(free_, {.job = job("f" + std::to_string(i))});
    ASSERT_TRUE(made.ok()) << i;
    if (i == 0) {
      ASSERT_TRUE(apis_.remove(made->row).ok());  // a deleted one counts too
    }
  }
  EXPECT_EQ(publish(free_, {.job = job("g")}).error().code, Code::kPermissionDenied);
  EXPECT_TRUE(publish(paid_, {.job = job("h")}).ok());
  clock_.set_wall_us(kJuly + 31 * 86'400'000'000);
  EXPECT_TRUE(publish(free_, {.job = job("i")}).ok());
}

TEST_F(ApisTest, AChangeOfTypeIsCheckedLikeAPublish) {
  const auto large = publish(paid_, {.job = job("l", 67'108'864), .type = ExecutionType::kDedicated});
  const auto refused = apis_.change(large->row, {.type = ExecutionType::kPerRequest});
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().text.find("CostParameter is 67108864"), std::string::npos);
  const auto slow = publish(paid_, {.job = job("s"), .type = ExecutionType::kDedicated});
  const auto too_slow = apis_.change(
      slow->row, {.type = ExecutionType::kPerRequest, .ineligible_reasons = {"one inference took 31 s"}});
  EXPECT_NE(too_slow.error().text.find("31 s"), std::string::npos);
  const auto free = publish(free_, {.job = job("f", 1, "free")});
  EXPECT_EQ(apis_.change(free->row, {.type = ExecutionType::kDedicated}).error().code,
            Code::kPermissionDenied);
  const auto changed = apis_.change(slow->row, {.type = ExecutionType::kPerRequest});
  ASSERT_TRUE(changed.ok());
  const CatalogSnapshot catalog = *apis_.build_catalog();
  const PublishedApi* api = catalog->find(slow->row.api.id);
  EXPECT_EQ(api->type, ExecutionType::kPerRequest);
  EXPECT_EQ(api->number, slow->row.api.number);
}

TEST_F(ApisTest, ALoweredDeadlineHoldsForOlderApisPerRequest) {
  NewApi api{.job = job("j")};
  api.settings.deadline_ms = 20'000;
  const auto quick = publish(paid_, api);
  api.type = ExecutionType::kDedicated;
  api.settings.deadline_ms = 60'000;
  const auto slow = publish(paid_, api);
  ASSERT_TRUE(quick.ok() && slow.ok());
  ApiRules lowered = rules_;
  lowered.deadline_ms = 5'000;
  Apis later{*store_, keyring_, clock_, lowered};
  const CatalogSnapshot catalog = *later.build_catalog();
  EXPECT_EQ(catalog->find(quick->row.api.id)->deadline_ms, 5'000);
  EXPECT_EQ(catalog->find(slow->row.api.id)->deadline_ms, 60'000) << "an instance of its own may take longer";
  EXPECT_EQ((*apis_.build_catalog())->find(quick->row.api.id)->deadline_ms, 20'000);
}

TEST_F(ApisTest, WhatInstancesHaveIsKeptWhileThereAreNone) {
  ApiSettings settings;
  settings.instances_count = 3;
  settings.threads_count = 2;
  settings.schedule = *Schedule::of({*parse_window("Mon 01:00-02:00")});
  settings.deadline_ms = 60'000;
  const auto made =
      publish(paid_, {.job = job("j"), .type = ExecutionType::kDedicated, .settings = settings});
  ASSERT_TRUE(made.ok());
  const auto refused = apis_.change(made->row, {.type = ExecutionType::kPerRequest});
  EXPECT_NE(refused.error().text.find("'deadline_ms' must be from 1 to 30000"), std::string::npos);
  settings.deadline_ms = 0;
  const auto changed = apis_.change(made->row, {.type = ExecutionType::kPerRequest, .settings = settings});
  ASSERT_TRUE(changed.ok()) << changed.error().text;
  const auto per_request = *apis_.published(*changed);
  EXPECT_EQ(per_request.instances_count, 1);
  EXPECT_EQ(per_request.threads_count, 1);
  EXPECT_TRUE(per_request.schedule.is_always());
  const auto back = apis_.change(*changed, {.type = ExecutionType::kDedicated});
  const auto dedicated = *apis_.published(*back);
  EXPECT_EQ(dedicated.instances_count, 3);
  EXPECT_EQ(dedicated.schedule, settings.schedule);
}

TEST_F(ApisTest, AChangeIsNewerThanWhatItChanges) {
  const auto made = publish(paid_, {.job = job("j")});
  clock_.advance_ms(5);
  const auto changed = apis_.change(made->row, {.enabled = true});
  EXPECT_GT((*apis_.published(*changed)).modified_us, (*apis_.published(made->row)).modified_us);
}

TEST(ApiSettings, HaveBounds) {
  const ApiRules rules{1000, 2000, 30'000, 128, 67'108'864, 10, 20, 4, "it has no GPU"};
  constexpr auto kDedicated = ExecutionType::kDedicated;
  const auto fits = [&rules](const ApiSettings& settings, ExecutionType type) {
    return check_settings(settings, type, rules).ok();
  };
  const struct {
    void (*set)(ApiSettings&, std::int64_t);
    std::int64_t least, most;
  } kRows[] = {
      {[](ApiSettings& s, std::int64_t v) { s.instances_count = static_cast<int>(v); }, 1, 64},
      {[](ApiSettings& s, std::int64_t v) { s.threads_count = static_cast<int>(v); }, 1, 4},
      {[](ApiSettings& s, std::int64_t v) { s.queue_limit_count = v; }, 1, 100'000},
      {[](ApiSettings& s, std::int64_t v) { s.rate_limit_per_s = v; }, 1, 1'000'000},
      {[](ApiSettings& s, std::int64_t v) { s.body_limit_bytes = v; }, 1'024, 1 << 30},
      {[](ApiSettings& s, std::int64_t v) { s.deadline_ms = v; }, 1, 3'600'000},
  };
  for (const auto& row : kRows)
    for (const std::int64_t value : {row.least, row.most, row.least - 1, row.most + 1}) {
      ApiSettings settings;
      row.set(settings, value);
      // 0 stands for the server's own.
      EXPECT_EQ(fits(settings, kDedicated), value == 0 || (value >= row.least && value <= row.most)) << value;
    }
  ApiSettings settings;
  settings.deadline_ms = 30'001;
  EXPECT_FALSE(fits(settings, ExecutionType::kPerRequest));
  settings.deadline_ms = 30'000;
  EXPECT_TRUE(fits(settings, ExecutionType::kPerRequest));
  settings.on_gpu = true;
  EXPECT_TRUE(fits(settings, ExecutionType::kPerRequest));  // kept for later
  const Status refused = check_settings(settings, kDedicated, rules);
  EXPECT_EQ(refused.error().text, "this server can't run a model on a GPU: it has no GPU");
  settings.name = "a/b";
  EXPECT_FALSE(fits(settings, ExecutionType::kPerRequest));
}

TEST_F(ApisTest, OffStaysInTheCatalogAsOff) {
  const auto made = publish(paid_, {.job = job("j")});
  const auto off = apis_.change(made->row, {.enabled = false});
  ASSERT_TRUE(off.ok());
  EXPECT_FALSE((*apis_.build_catalog())->find(made->row.api.id)->enabled);
  ASSERT_TRUE(apis_.change(*off, {.enabled = true}).ok());
  EXPECT_TRUE((*apis_.build_catalog())->find(made->row.api.id)->enabled);
}

TEST_F(ApisTest, DeleteTakesTheJobThatNothingElseUses) {
  const JobRecord shared = job("shared");
  const auto one = publish(paid_, {.job = shared});
  const auto two = publish(paid_, {.job = shared});
  auto removed = apis_.remove(one->row);
  ASSERT_TRUE(removed.ok());
  EXPECT_TRUE(removed->released_blobs.empty());
  EXPECT_TRUE((*store_->find_job("shared")).has_value());
  removed = apis_.remove(two->row);
  EXPECT_EQ(removed->released_blobs, (std::vector<std::string>{"u-shared", "p-shared"}));
  EXPECT_FALSE((*store_->find_job("shared")).has_value());
  EXPECT_EQ((*apis_.build_catalog())->apis().size(), 0u);
  EXPECT_EQ(apis_.find(two->row.api.id).error().code, Code::kNotFound);
}

TEST_F(ApisTest, AKeptJobStays) {
  JobRecord kept;
  kept.id = "kept";
  kept.owner_id = "paid";
  kept.kept = true;
  ASSERT_TRUE(store_->add_job(kept).ok());
  const auto made = publish(paid_, {.job = kept});
  ASSERT_TRUE(apis_.remove(made->row).ok());
  EXPECT_TRUE((*store_->find_job("kept")).has_value());
}

TEST_F(ApisTest, WhatFailsAfterwardsTakesThePublishBack) {
  const auto made = apis_.publish(paid_, {.job = job("j"), .id = "x"},
                                  [](const PublishedNow&) -> Status { return invalid("no"); });
  EXPECT_FALSE(made.ok());
  EXPECT_EQ(apis_.find("x").error().code, Code::kNotFound);
}

TEST_F(ApisTest, OwnSettingsWinOverTheServers) {
  ApiSettings settings;
  settings.keep_output_names = true;
  settings.batching = false;
  settings.threads_count = 2;
  settings.body_limit_bytes = 2'077;
  const auto made =
      publish(paid_, {.job = job("j"), .type = ExecutionType::kDedicated, .settings = settings});
  const auto catalog = apis_.build_catalog();
  const PublishedApi* api = (*catalog)->find(made->row.api.id);
  EXPECT_TRUE(api->keep_output_names);
  EXPECT_FALSE(api->batching);
  EXPECT_EQ(api->threads_count, 2);
  EXPECT_EQ(api->body_limit_bytes, 2'077u);
  EXPECT_EQ(api->queue_limit_count, 128u);
}

TEST(ApiSettings, GoThroughJson) {
  EXPECT_EQ(to_json(ApiSettings{}), "{}");
  ApiSettings settings;
  settings.name = "名前";
  settings.on_gpu = true;
  settings.deadline_ms = 60'000;
  settings.instances_count = 2;
  settings.rate_limit_per_s = 7;
  settings.schedule = *Schedule::of({*parse_window("Mon-Fri 09:00-17:00"), *parse_window("Sat 00:00-24:00")});
  const auto back = settings_from_json(to_json(settings));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, settings);
  EXPECT_TRUE(settings_from_json(R"({"of_the_future":1})").ok());
  EXPECT_FALSE(settings_from_json(R"({"on_gpu":1})").ok());
  EXPECT_FALSE(settings_from_json(R"({"schedule":["Mon 9-5"]})").ok());
  EXPECT_FALSE(settings_from_json(R"({"schedule":[]})").ok());
  EXPECT_FALSE(settings_from_json("").ok());
}

}  // namespace
}  // namespace noren::server
