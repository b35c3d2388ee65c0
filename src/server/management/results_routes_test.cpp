// Imports, and what they recorded.
#include "base/result_limits.h"
#include "server/management/management_fixture.h"

namespace noren::server {
namespace {

std::string two_jobs(const std::string& second = "end") {
  return "two model{\"series\":[]}{\"columns\":[]}[1]\n[2]\n[3]\n" + second + "hello";
}

TEST_F(ManagementTest, AResultFolderBecomesAProjectWithItsJobs) {
  const Answer answer = call("POST", "imports?file_name=p.files.zip", two_jobs());
  ASSERT_EQ(answer.status, 201) << json::serialize(answer.body);
  EXPECT_EQ(answer.text("project"), "p");
  ASSERT_EQ(answer.body.at("jobs").as_array().size(), 2u);
  const json::value& job = answer.body.at("jobs").at(0);
  EXPECT_EQ(job.at("results").at("folder").as_string(), "one");
  EXPECT_TRUE(job.at("kept").as_bool());
  EXPECT_EQ(answer.body.at("warnings").at(0).as_string(), "said");
  const std::string id(job.at("id").as_string()), path = "jobs/" + id;
  EXPECT_TRUE(call("GET", path + "/curves").body.at("series").as_array().empty());
  EXPECT_EQ(call("GET", path + "/confusion").status, 404);
  const Answer rows = call("GET", path + "/evaluation?offset=1&limit=2");
  EXPECT_EQ(json::serialize(rows.body), R"({"columns":[],"total":3,"offset":1,"rows":[[2],[3]]})");
  EXPECT_EQ(json::serialize(call("GET", path + "/evaluation?offset=7").body.at("rows")), "[]");
  for (const char* bad : {"?offset=-1", "?limit=0", "?limit=1001", "?page=1"})
    EXPECT_EQ(call("GET", path + "/evaluation" + bad).status, 400) << bad;
  EXPECT_EQ(call("GET", path + "/files").body.at("files").as_array().size(), 2u);
  EXPECT_EQ(call("GET", path + "/files/none").status, 404);
  EXPECT_EQ(call("GET", "projects").body.at("projects").at(0).at("jobs").as_int64(), 2);
  EXPECT_EQ(call("GET", "jobs?project=p").body.at("jobs").as_array().size(), 2u);
  EXPECT_TRUE(call("GET", "jobs?project=q").body.at("jobs").as_array().empty());
  EXPECT_EQ(store_->list_audit(1)->front().action, "job.import");
}

TEST_F(ManagementTest, WhatIsHandedOutUnreadWasReadAtImport) {
  EXPECT_EQ(call("POST", "imports", two_jobs()).status, 201);
  for (const char* bad : {"{\"series\":[1}", "[\"curve no 1\"]", "{\"series\":[]]"}) {
    std::string parts = two_jobs();
    parts.replace(parts.find("{\"series\":[]}"), 13, bad).replace(4, 5, "other");
    parts.replace(parts.size() - 5, 5, "other");
    const Answer answer = call("POST", "imports", parts);
    EXPECT_EQ(answer.status, 500) << bad;
    EXPECT_EQ(json::serialize(answer.body).find("series"), std::string::npos) << bad;
  }
  EXPECT_EQ(call("GET", "jobs").body.at("jobs").as_array().size(), 2u);
  // What belongs to the import that succeeded, and nothing of the others.
  const std::vector<BlobInfo> blobs = *blobs_.list();
  EXPECT_FALSE(blobs.empty());
  for (const BlobInfo& blob : blobs) EXPECT_TRUE(*store_->blob_is_used(blob.name)) << blob.name;
}

TEST_F(ManagementTest, AnImportThatFindsNoRoomLeavesNothing) {
  const auto taken_until_it_succeeds = [&](const char* path, const std::string& upload) {
    std::size_t taken_count = 0;
    while (true) {
      blobs_.fill_up_after(taken_count);
      const int status = call("POST", path, upload).status;
      if (status == 201) return taken_count;
      EXPECT_EQ(status, 429);
      EXPECT_TRUE(blobs_.list()->empty()) << path << ", full after " << taken_count;
      EXPECT_TRUE(call("GET", "jobs").body.at("jobs").as_array().empty());
      ++taken_count;
    }
  };
  EXPECT_EQ(taken_until_it_succeeds("jobs?file_name=a.nnp", "model"), 2u);
  const std::string id(call("GET", "jobs").body.at("jobs").at(0).at("id").as_string());
  EXPECT_EQ(call("DELETE", "jobs/" + id).status, 200);
  EXPECT_GT(taken_until_it_succeeds("imports?file_name=a.zip", two_jobs()), 5u);
}

TEST_F(ManagementTest, AFileOfAJobComesAsItWas) {
  const Answer imported = call("POST", "imports?file_name=p.zip", two_jobs());
  const std::string path = "jobs/" + std::string(imported.body.at("jobs").at(0).at("id").as_string());
  std::promise<ManagementResponse> promise;
  service_->handle(request("GET", path + "/files/log.txt"),
                   [&](ManagementResponse response) { promise.set_value(std::move(response)); });
  const ManagementResponse file = promise.get_future().get();
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(file.body, "hello");
  EXPECT_EQ(file.content_type, "application/octet-stream");
}

TEST_F(ManagementTest, AJobThatFailsIsLeftOutOfManyAndRefusedAlone) {
  const Answer answer = call("POST", "imports", two_jobs("bad"));
  ASSERT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body.at("jobs").as_array().size(), 1u);
  EXPECT_EQ(answer.body.at("warnings").at(1).as_string(), "left out: 'two': bad.nnp: no network is in it");
  const Answer alone = call("POST", "imports?file_name=bad.nnp", "bad");
  EXPECT_EQ(alone.status, 422);
  EXPECT_EQ(call("POST", "imports", "no results").status, 400);
  EXPECT_EQ(call("POST", "imports?name=n", two_jobs()).status, 400);
  EXPECT_EQ(call("POST", "imports?project=a/b", "model").status, 400);
  EXPECT_EQ(call("POST", "imports").status, 400);
  EXPECT_EQ(call("GET", "jobs").body.at("jobs").as_array().size(), 1u);
}

TEST_F(ManagementTest, AnImportWhoseCallerHangsUpAtAnyModelLeavesNothing) {
  struct Case {
    const char* path;
    std::string upload;
    int models_count;
  };
  for (const auto& [path, upload, models_count] :
       {Case{"jobs?file_name=a.nnp", "model", 1}, Case{"imports?file_name=a.zip", two_jobs(), 2}}) {
    for (int last = 1; last <= models_count; ++last) {
      ManagementRequest made = request("POST", path, upload);
      made.hang_up = std::make_shared<HangUp>();
      int looked_at_count = 0;
      serving_.at_work_ = [&looked_at_count, last, hang_up = made.hang_up] {
        if (++looked_at_count == last) hang_up->tell();
      };
      EXPECT_EQ(send(std::move(made)).status, 409) << path;
      EXPECT_EQ(looked_at_count, last) << "the models behind it are not looked at any more";
      EXPECT_TRUE(blobs_.list()->empty()) << path;
      EXPECT_TRUE(call("GET", "jobs").body.at("jobs").as_array().empty()) << path;
    }
  }
  serving_.at_work_ = nullptr;
  EXPECT_EQ(call("POST", "imports?file_name=a.zip", two_jobs()).body.at("jobs").as_array().size(), 2u);
}

TEST_F(ManagementTest, WhatAllModelsOfAnImportSayOfThemselvesIsBounded) {
  constexpr std::size_t kFitCount = limits::kImportDescriptionsBytes / limits::kDescriptionBytes;
  json::array jobs;
  for (std::size_t i = 0; i <= kFitCount; ++i)
    jobs.push_back({{"name", "job" + std::to_string(i)},
                    {"project", "p"},
                    {"model", {{"name", "m.nnp"}, {"offset", 5 * i}, {"size", 5}}},
                    {"parts", json::array()},
                    {"results", json::object()}});
  serving_.index_ = json::serialize(json::object{{"jobs", std::move(jobs)}, {"warnings", json::array()}});
  std::string parts = "two ";
  for (std::size_t i = 0; i <= kFitCount; ++i) parts += "wordy";
  const Answer answer = call("POST", "imports", parts);
  ASSERT_EQ(answer.status, 201) << json::serialize(answer.body);
  EXPECT_EQ(answer.body.at("jobs").as_array().size(), kFitCount);
  EXPECT_TRUE(answer.body.at("warnings").at(0).as_string().starts_with("left out: 'job16': "));
}

TEST_F(ManagementTest, AnImportedJobIsPublishedAndStays) {
  const Answer imported = call("POST", "imports?project=q&name=n&file_name=m.nnp", "model");
  ASSERT_EQ(imported.status, 201);
  const std::string id(imported.body.at("jobs").at(0).at("id").as_string());
  const Answer api = call("POST", "apis", R"({"job":")" + id + "\"}");
  EXPECT_EQ(api.text("project") + "/" + api.text("name"), "q/n");
  EXPECT_EQ(call("DELETE", "projects/q").status, 409);
  EXPECT_EQ(call("DELETE", "apis/" + api.text("id")).status, 200);
  EXPECT_EQ(call("GET", "jobs/" + id).status, 200);
  EXPECT_EQ(call_as_user("DELETE", "projects/q").status, 404);
  EXPECT_EQ(call("DELETE", "projects/q").body.at("jobs").as_int64(), 1);
  EXPECT_EQ(call("GET", "jobs/" + id).status, 404);
  EXPECT_TRUE(blobs_.list()->empty());
}

}  // namespace
}  // namespace noren::server
