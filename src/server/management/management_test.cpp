#include <condition_variable>
#include <fstream>
#include <set>

#include "base/limits.h"
#include "server/management/management_fixture.h"

namespace noren::server {
namespace {

std::string filled(std::string path) {
  const std::size_t brace = path.find("{id}");
  return brace == std::string::npos ? path : path.replace(brace, 4, "x");
}

TEST_F(ManagementTest, EveryRouteNeedsCredentials) {
  ASSERT_GE(management_routes().size(), 12u);
  for (const RouteInfo& route : management_routes()) {
    for (const char* token : {"", "wrong", "noren_"}) {
      ManagementRequest bare;
      bare.method = route.method;
      bare.path = filled(route.path);
      bare.bearer_token = Secret(token);
      const Answer answer = send(std::move(bare));
      EXPECT_EQ(answer.status, 401) << route.method << " " << route.path;
      EXPECT_EQ(answer.content_type, "application/problem+json");
      EXPECT_EQ(answer.text("detail"), "a valid bearer token is needed");
    }
  }
}

/// "GET /path" of every operation in api/management.yaml, which writes paths with two blanks and methods with
/// four.
std::set<std::string> documented_operations() {
  std::ifstream file(NOREN_SOURCE_DIR "/api/management.yaml");
  std::set<std::string> operations;
  std::string path;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("  /v1/")) path = line.substr(2, line.rfind(':') - 2);
    if (line.starts_with("components:")) break;
    for (const char* method : {"get", "post", "put", "patch", "delete"}) {
      if (line != "    " + std::string(method) + ":") continue;
      std::string upper(method);
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      upper += " ";
      operations.insert(upper + path);
    }
  }
  return operations;
}

TEST_F(ManagementTest, TheOpenApiFileHasEveryRouteAndNoOther) {
  std::set<std::string> routes;
  for (const RouteInfo& route : management_routes()) routes.insert(route.method + " " + route.path);
  EXPECT_EQ(documented_operations(), routes);
}

TEST_F(ManagementTest, WithoutCredentialsNoPathIsTold) {
  ManagementRequest bare;
  bare.method = "GET";
  bare.path = "/v1/management/nothing";
  EXPECT_EQ(send(std::move(bare)).status, 401);
  EXPECT_EQ(call("GET", "nothing").status, 404);
  EXPECT_EQ(call("GET", "apis/").status, 404);
  EXPECT_EQ(call("GET", "apis//keys").status, 404);
}

TEST_F(ManagementTest, AMethodThatAPathDoesNotTakeIs405AndSaysWhatItTakes) {
  const Answer answer = call("PUT", "apis");
  EXPECT_EQ(answer.status, 405);
  ASSERT_FALSE(answer.headers.empty());
  EXPECT_EQ(answer.headers.back(), std::pair(std::string("allow"), std::string("POST, GET")));
}

TEST_F(ManagementTest, PublishGivesUrlKeyTypeAndState) {
  const Answer answer = publish();
  ASSERT_EQ(answer.status, 201) << json::serialize(answer.body);
  const std::string id = answer.text("id");
  EXPECT_EQ(answer.text("url"), "http://h/v1/serverless/classifiers/" + id + "/inference");
  EXPECT_EQ(answer.text("type"), "per-request");
  EXPECT_EQ(answer.text("state"), "running");
  EXPECT_EQ(answer.text("name"), "iris");
  EXPECT_EQ(answer.text("key").size(), 36u);
  const PublishedApi* api = serving_.catalog_->find(id);
  ASSERT_NE(api, nullptr);
  EXPECT_TRUE(
      equal_digests(api->keys[0].digest, digest_of(answer.text("key"), keyring_.api_key_digest_key())));
  EXPECT_EQ(call("GET", "apis/" + id + "/keys").body.at("keys").at(0).at("key"), answer.body.at("key"));
  EXPECT_EQ(store_->list_audit(1)->front().action, "api.publish");
}

TEST_F(ManagementTest, DedicatedHasItsOwnPath) {
  const Answer answer = publish(R"(,"type":"dedicated","id":"old_Id-1","key":"6626b3e4-1316-4b1a")");
  EXPECT_EQ(answer.text("url"), "http://h/v1/classifiers/old_Id-1/inference");
  EXPECT_EQ(answer.text("key"), "6626b3e4-1316-4b1a");
  const Answer again = publish(R"(,"id":"old_Id-1")");
  EXPECT_EQ(again.status, 409);
  EXPECT_NE(again.text("detail").find("'old_Id-1'"), std::string::npos);
}

TEST_F(ManagementTest, WhatIsWrongInAPublishIsSaidInOneSentence) {
  EXPECT_EQ(call("POST", "apis", "{}").status, 400);
  EXPECT_EQ(call("POST", "apis", "[]").status, 400);
  EXPECT_EQ(call("POST", "apis", "{").status, 400);
  EXPECT_EQ(call("POST", "apis", R"({"job":"none"})").status, 404);
  EXPECT_EQ(publish(R"(,"typ":"dedicated")").text("detail"), "unknown member 'typ' in the body");
  EXPECT_EQ(publish(R"(,"type":"shared")").status, 400);
  EXPECT_EQ(publish(R"(,"id":"a b")").status, 400);
  EXPECT_EQ(publish(R"(,"key":5)").status, 400);
  const Answer huge = call("POST", "apis", R"({"job":")" + import("huge") + "\"}");
  EXPECT_EQ(huge.status, 409);
  EXPECT_NE(huge.text("detail").find("CostParameter is 67108864"), std::string::npos);
}

TEST_F(ManagementTest, AnImportThatFailsSaysWhyAndLeavesNothing) {
  const Answer answer = call("POST", "jobs?file_name=bad.nnp", "bad");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.text("detail"), "bad.nnp: no network is in it");
  EXPECT_EQ(call("POST", "jobs?file_name=bad.nnp", "").status, 400);
  EXPECT_EQ(call("POST", "jobs?name=a/b", "model").status, 400);
  EXPECT_EQ(call("POST", "jobs?nam=a", "model").status, 400);
  EXPECT_EQ(call("POST", "jobs?name=%zz", "model").status, 400);
  EXPECT_TRUE(call("GET", "jobs").body.at("jobs").as_array().empty());
  EXPECT_TRUE(blobs_.list()->empty());
}

TEST_F(ManagementTest, AnUploadMayComeAsAFile) {
  ManagementRequest upload = request("POST", "jobs?file_name=a%20b.nnp&project=%E5%90%8D+1");
  upload.body_memfd = *sealed_memfd("u", bytes_of("model"));
  const Answer answer = send(std::move(upload));
  ASSERT_EQ(answer.status, 201);
  EXPECT_EQ(answer.text("name"), "a b");
  EXPECT_EQ(answer.text("project"), "名 1");
  EXPECT_EQ(answer.body.at("description").at("format"), "nnp");
  EXPECT_EQ(call("GET", "jobs/" + answer.text("id")).text("file_name"), "a b.nnp");
}

TEST_F(ManagementTest, OnAndOffReachTheDataPlane) {
  const std::string id = publish().text("id");
  const Answer off = call("PATCH", "apis/" + id, R"({"enabled":false})");
  EXPECT_EQ(off.text("state"), "stopped");
  EXPECT_FALSE(serving_.catalog_->find(id)->enabled);
  EXPECT_EQ(call("PATCH", "apis/" + id, R"({"enabled":"no"})").status, 400);
  EXPECT_EQ(call("PATCH", "apis/" + id, R"({"enabled":true})").text("state"), "running");
}

TEST_F(ManagementTest, DeleteTakesTheJobAndItsFiles) {
  const std::string id = publish().text("id");
  EXPECT_EQ(blobs_.list()->size(), 2u);
  EXPECT_EQ(call("DELETE", "apis/" + id).status, 200);
  EXPECT_EQ(call("GET", "apis/" + id).status, 404);
  EXPECT_EQ(serving_.catalog_->find(id), nullptr);
  EXPECT_TRUE(call("GET", "jobs").body.at("jobs").as_array().empty());
  EXPECT_TRUE(blobs_.list()->empty());
}

TEST_F(ManagementTest, AReplacedModelKeepsUrlAndKeyAndIsTriedFirst) {
  const Answer first = publish();
  const std::string path = "apis/" + first.text("id");
  const std::string job = import("better");
  const Answer second = call("POST", path + "/versions", R"({"job":")" + job + "\"}");
  ASSERT_EQ(second.status, 200) << json::serialize(second.body);
  EXPECT_EQ(second.text("url"), first.text("url"));
  EXPECT_EQ(second.text("replaced"), first.text("version"));
  EXPECT_EQ(second.text("job"), job);
  EXPECT_EQ(second.text("state"), "running");
  ASSERT_EQ(serving_.tried_.size(), 1u);
  EXPECT_EQ(serving_.tried_[0].version_label, second.text("version"));
  const PublishedApi* api = serving_.catalog_->find(first.text("id"));
  EXPECT_EQ(api->version_label, second.text("version"));
  EXPECT_EQ(api->package_hash, serving_.tried_[0].package_hash);
  const Answer versions = call("GET", path + "/versions");
  ASSERT_EQ(versions.body.at("versions").as_array().size(), 2u);
  EXPECT_TRUE(versions.body.at("versions").as_array()[0].as_object().at("serves").as_bool());
  const Answer back = call("POST", path + "/rollback");
  ASSERT_EQ(back.status, 200) << json::serialize(back.body);
  EXPECT_EQ(back.text("version"), first.text("version"));
  EXPECT_EQ(serving_.tried_.size(), 2u);
  const Answer forth = call("POST", path + "/rollback", R"({"version":")" + second.text("version") + "\"}");
  EXPECT_EQ(forth.text("version"), second.text("version"));
  EXPECT_EQ(call("DELETE", path).status, 200);
  EXPECT_TRUE(blobs_.list()->empty());
}

TEST_F(ManagementTest, AVersionThatFailsItsTrialChangesNothing) {
  const Answer first = publish();
  const std::string path = "apis/" + first.text("id");
  const std::string job = import("worse");
  serving_.trial_failure_ = "executor 'E' fails on a sample request";
  const Answer failed = call("POST", path + "/versions", R"({"job":")" + job + "\"}");
  EXPECT_EQ(failed.status, 409);
  EXPECT_NE(failed.text("detail").find(first.text("version") + " goes on serving"), std::string::npos);
  EXPECT_NE(failed.text("detail").find("fails on a sample request"), std::string::npos);
  EXPECT_EQ(call("GET", path).text("version"), first.text("version"));
  EXPECT_EQ(call("GET", path + "/versions").body.at("versions").as_array().size(), 1u);
  EXPECT_EQ(call("DELETE", "jobs/" + job).status, 200);
}

TEST_F(ManagementTest, WhatCallersWouldNoticeIsNotEvenTried) {
  const Answer first = publish();
  const std::string path = "apis/" + first.text("id") + "/versions";
  const std::string job = import("wide");
  const Answer refused = call("POST", path, R"({"job":")" + job + "\"}");
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.text("detail").find("[1,5], not [1,4]"), std::string::npos);
  EXPECT_TRUE(serving_.tried_.empty());
  const Answer taken = call("POST", path, R"({"accept_changes":true,"job":")" + job + "\"}");
  ASSERT_EQ(taken.status, 200) << json::serialize(taken.body);
  EXPECT_EQ(taken.body.at("changes").as_array().size(), 1u);
  EXPECT_EQ(call("POST", path, R"({"job":"nobody"})").status, 404);
  EXPECT_EQ(call("POST", path, "{}").status, 400);
  EXPECT_EQ(call_as_user("POST", path, R"({"job":")" + job + "\"}").status, 404);
}

TEST_F(ManagementTest, AJobInUseIsNotDeleted) {
  const Answer api = publish();
  EXPECT_EQ(call("DELETE", "jobs/" + api.text("job")).status, 409);
  const std::string free = import();
  EXPECT_EQ(call("DELETE", "jobs/" + free).status, 200);
  EXPECT_EQ(call("GET", "jobs/" + free).status, 404);
}

TEST_F(ManagementTest, ListsComeInPagesNewestFirst) {
  std::vector<std::string> ids;
  ids.reserve(5);
  for (int i = 0; i < 5; ++i) ids.push_back(publish().text("id"));
  std::vector<std::string> seen;
  std::string path = "apis?limit=2";
  while (true) {
    const Answer page = call("GET", path);
    for (const auto& api : page.body.at("apis").as_array()) seen.emplace_back(api.at("id").as_string());
    const auto* next = page.body.if_contains("next_before");
    if (next == nullptr) break;
    path = "apis?limit=2&before=" + json::serialize(*next);
  }
  std::reverse(seen.begin(), seen.end());
  EXPECT_EQ(seen, ids);
  for (const char* bad : {"apis?limit=0", "apis?limit=1001", "apis?limit=x", "apis?before=-1", "apis?page=2"})
    EXPECT_EQ(call("GET", bad).status, 400) << bad;
}

TEST_F(ManagementTest, AnotherOwnersThingsAreNotThere) {
  const Answer api = publish();
  const std::string id = api.text("id");
  for (const RouteInfo& route : management_routes()) {
    const std::size_t brace = route.path.find("{id}");
    if (brace == std::string::npos) continue;
    const bool job = route.path.find("/jobs/") != std::string::npos;
    std::string path = route.path.substr(std::string("/v1/management/").size());
    path.replace(path.find("{id}"), 4, job ? api.text("job") : id);
    const Answer answer = call_as_user(route.method, path, "{}");
    EXPECT_EQ(answer.status, 404) << route.method << " " << path;
  }
  EXPECT_TRUE(call_as_user("GET", "apis").body.at("apis").as_array().empty());
  EXPECT_EQ(call_as_user("POST", "apis", R"({"job":")" + api.text("job") + "\"}").status, 404);
  EXPECT_EQ(call("GET", "apis/" + id).status, 200);
}

TEST_F(ManagementTest, AFreeOwnerSeesWhatIsLeft) {
  const Answer job = call_as_user("POST", "jobs?file_name=m.nnp", "model");
  const Answer api = call_as_user("POST", "apis", R"({"job":")" + job.text("id") + "\"}");
  ASSERT_EQ(api.status, 201);
  EXPECT_EQ(api.body.at("free_left").as_int64(), 500);
  const std::uint32_t number = apis_.find(api.text("id"))->api.number;
  ASSERT_TRUE(usage_.put({{number, 1, "", {10}}}).ok());
  EXPECT_EQ(call_as_user("GET", "apis/" + api.text("id")).body.at("free_left").as_int64(), 490);
  const Answer refused =
      call_as_user("POST", "apis", R"({"type":"dedicated","job":")" + job.text("id") + "\"}");
  EXPECT_EQ(refused.status, 403);
}

TEST_F(ManagementTest, UsageIsShownByDay) {
  const Answer api = publish();
  const std::uint32_t number = apis_.find(api.text("id"))->api.number;
  ASSERT_TRUE(usage_.put({{number, utc_day(clock_.wall_us()), "", {7, 1}}, {number, 1, "", {2}}}).ok());
  const Answer usage = call("GET", "apis/" + api.text("id") + "/usage?days=2");
  EXPECT_EQ(usage.body.at("total").at("successes").as_int64(), 9);
  ASSERT_EQ(usage.body.at("days").as_array().size(), 1u);
  EXPECT_EQ(usage.body.at("days").at(0).at("day").as_string(), "2020-07-07");
  EXPECT_EQ(usage.body.at("days").at(0).at("refused").as_int64(), 1);
  EXPECT_EQ(call("GET", "apis/" + api.text("id") + "/usage?days=0").status, 400);
}

TEST_F(ManagementTest, TheSameIdempotencyKeyGivesTheSameAnswer) {
  const std::string body = R"({"job":")" + import() + "\"}";
  const auto send_with_key = [&](const std::string& text) {
    ManagementRequest made = request("POST", "apis", text);
    made.idempotency_key = "once";
    return send(std::move(made));
  };
  const Answer first = send_with_key(body);
  ASSERT_EQ(first.status, 201);
  const Answer second = send_with_key(body);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(call("GET", "apis").body.at("apis").as_array().size(), 1u);
  EXPECT_EQ(send_with_key(body + " ").status, 409);
  const auto record = *store_->find_idempotency(store_->find_owner_by_name("admin")->value().id, "once");
  EXPECT_EQ(record->answer.find(first.text("key")), std::string::npos);
}

TEST_F(ManagementTest, AReplacementThatIsSentTwiceReplacesOnce) {
  const std::string path = "apis/" + publish().text("id");
  const std::string body = R"({"job":")" + import("model 2") + "\"}";
  const auto send_with_key = [&](const std::string& to, const std::string& text, const char* key) {
    ManagementRequest made = request("POST", path + to, text);
    made.idempotency_key = key;
    return send(std::move(made));
  };
  const Answer first = send_with_key("/versions", body, "once");
  ASSERT_EQ(first.status, 200) << json::serialize(first.body);
  const Answer second = send_with_key("/versions", body, "once");
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(serving_.tried_.size(), 1u);
  EXPECT_EQ(call("GET", path + "/versions").body.at("versions").as_array().size(), 2u);
  EXPECT_EQ(send_with_key("/rollback", "", "once").status, 409);
  const Answer back = send_with_key("/rollback", "", "back");
  ASSERT_EQ(back.status, 200);
  EXPECT_EQ(send_with_key("/rollback", "", "back").body, back.body);  // no step further
}

TEST_F(ManagementTest, ALargeJsonBodyIsRefused) {
  ManagementRequest large = request("POST", "apis");
  large.body_memfd = *sealed_memfd("u", bytes_of("{}"));
  EXPECT_EQ(send(std::move(large)).status, 413);
}

TEST_F(ManagementTest, ALargeBodyIsReceivedOnlyFromWhoMaySendIt) {
  const auto verdict_on = [&](const ManagementRequest& head) {
    std::promise<HeadVerdict> promise;
    service_->check_head(head, [&](HeadVerdict verdict) { promise.set_value(std::move(verdict)); });
    return promise.get_future().get();
  };
  const auto refusal_of = [&](const ManagementRequest& head) {
    const HeadVerdict verdict = verdict_on(head);
    EXPECT_EQ(verdict.body_limit_bytes == 0, verdict.refusal.has_value());
    return verdict.refusal ? verdict.refusal->status : 0;
  };
  ManagementRequest stranger = request("POST", "jobs");
  stranger.bearer_token = Secret("wrong");
  EXPECT_EQ(refusal_of(stranger), 401);
  EXPECT_EQ(refusal_of(request("POST", "nothing")), 404);
  EXPECT_EQ(refusal_of(request("PUT", "jobs")), 405);
  EXPECT_EQ(refusal_of(request("POST", "jobs?kept=false")), 0);
  EXPECT_EQ(refusal_of(request("POST", "imports")), 0);
  EXPECT_EQ(verdict_on(request("POST", "jobs")).body_limit_bytes, limits::kModelFileBytes);
  EXPECT_EQ(verdict_on(request("POST", "imports")).body_limit_bytes, limits::kModelFileBytes);
  for (const char* path : {"apis", "apis/a1/versions", "apis/a1/rollback"})
    EXPECT_EQ(verdict_on(request("POST", path)).body_limit_bytes, limits::kBodyInlineBytes) << path;
  EXPECT_EQ(verdict_on(request("GET", "me")).body_limit_bytes, limits::kBodyInlineBytes);
  EXPECT_TRUE(call("GET", "jobs").body.at("jobs").as_array().empty()) << "nothing was begun";
  const std::string owner_id = accounts_.authenticate(admin_.token)->owner_id;
  for (std::size_t i = 0; i < limits::kImportsCount + limits::kImportQueuePerAccountCount; ++i) {
    EXPECT_EQ(refusal_of(request("POST", "imports")), 0);
    control_.post([&] { EXPECT_TRUE(jobs_.begin_import(owner_id, [] {}).ok()); });
  }
  EXPECT_EQ(refusal_of(request("POST", "imports")), 429) << "before its file is sent";
  EXPECT_EQ(refusal_of(request("POST", "jobs")), 429);
  EXPECT_EQ(refusal_of(request("POST", "apis")), 0);
}

TEST_F(ManagementTest, TooManyWaitingRequestsAreRefusedAtOnce) {
  std::promise<void> release;
  std::shared_future<void> released(release.get_future());
  std::promise<void> holds;
  control_.post([&holds, released] {
    holds.set_value();
    released.wait();
  });
  holds.get_future().wait();  // it waits in no line any more
  std::mutex mutex;
  std::condition_variable all_answered;
  std::size_t answered = 0, refused = 0;
  for (std::size_t i = 0; i < limits::kManagementQueueCount + 10; ++i) {
    service_->handle(request("GET", "me"), [&](const ManagementResponse& response) {
      const std::lock_guard lock(mutex);
      ++answered;
      if (response.status == 429) ++refused;
      all_answered.notify_all();
    });
  }
  {
    const std::lock_guard lock(mutex);
    EXPECT_GE(refused, 9u);
  }
  release.set_value();
  std::unique_lock lock(mutex);
  all_answered.wait(lock, [&] { return answered == limits::kManagementQueueCount + 10; });
  EXPECT_LE(refused, 10u);
}

TEST_F(ManagementTest, AnImportWhoseCallerHangsUpLeavesTheLine) {
  const auto on_control = [&](const std::function<void()>& work) {
    std::promise<void> done;
    control_.post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  };
  on_control([&] {
    for (std::size_t i = 0; i < limits::kImportsCount; ++i) EXPECT_TRUE(jobs_.begin_import("o1", [] {}).ok());
  });
  for (const char* path : {"jobs?file_name=a.nnp", "imports?file_name=a.nnp"}) {
    ManagementRequest made = request("POST", path, "model");
    const auto hang_up = made.hang_up = std::make_shared<HangUp>();
    std::promise<ManagementResponse> reply;
    service_->handle(std::move(made),
                     [&](ManagementResponse response) { reply.set_value(std::move(response)); });
    on_control([] {});
    auto answer = reply.get_future();
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "it waits";
    hang_up->tell();
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    EXPECT_EQ(answer.get().status, 409);
  }
}

TEST_F(ManagementTest, AReplacementWhoseCallerHangsUpBeforeItServesChangesNothing) {
  const Answer api = publish();
  const std::string path = "apis/" + api.text("id") + "/versions";
  ManagementRequest made = request("POST", path, R"({"job":")" + import("better") + "\"}");
  made.hang_up = std::make_shared<HangUp>();
  serving_.at_work_ = [hang_up = made.hang_up] { hang_up->tell(); };
  EXPECT_EQ(send(std::move(made)).status, 409);
  EXPECT_EQ(serving_.dropped_, std::vector<std::string>{api.text("id")});
  EXPECT_EQ(call("GET", path).body.at("versions").as_array().size(), 1u);
}

}  // namespace
}  // namespace noren::server
