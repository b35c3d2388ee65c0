// For tests: the management service over a store in memory, with a data plane that is only played.
#pragma once

#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "server/blob/memory_blob_store.h"
#include "server/management/service.h"

namespace noren::server {

namespace json = boost::json;

inline constexpr const char* kDescription =
    R"({"format":"nnp","statistics":{"CostParameter":12},"per_request":{"eligible":true,"reasons":[]},)"
    R"("executors":[{"name":"E","inputs":[{"name":"x","type":"float32","shape":[1,4]}],"outputs":[]}]})";

inline constexpr const char* kOneModel =
    R"({"jobs":[{"name":"m","project":"","model":{"name":"m.nnp","upload":true},"parts":[],"results":{}}],
       "warnings":[]})";
/// Of the parts "model", {"series":[]}, {"columns":[]}, [1]\n[2]\n, [3]\n, "end" (or "bad"), "hello".
inline constexpr const char* kTwoJobs =
    R"({"jobs":[{"name":"one","project":"p","model":{"name":"results.nnp","offset":0,"size":5},"parts":[
      {"kind":"file","name":"log.txt","offset":47,"size":5},{"kind":"curves","name":"c","offset":5,"size":13},
       {"kind":"columns","name":"t","offset":18,"size":14},
       {"kind":"rows","name":"t","offset":32,"size":8,"first_row":0,"rows":2},
       {"kind":"rows","name":"t","offset":40,"size":4,"first_row":2,"rows":1}],"results":{"folder":"one"}},
      {"name":"two","project":"p","model":{"name":"results.nnp","offset":44,"size":3},"parts":[],
        "results":{}}],
       "warnings":["said"]})";

/// A data plane that has every catalog at once, and an importer that believes every file but "bad".
class FakeServing final : public Serving {
 public:
  void apply(CatalogSnapshot catalog, std::function<void()> applied) override {
    catalog_ = std::move(catalog);
    applied();
  }
  void import(ImportRequest request, std::function<void(Result<ImportedModel>)> done) override {
    if (at_work_) at_work_();
    const auto mapping = Mapping::map(request.file.get());
    const std::string text(text_of(mapping->bytes()));
    if (text == "bad") return done(make_error(Code::kCorrupt, "bad.nnp: no network is in it"));
    if (text == "huge")
      return done(ImportedModel{R"({"statistics":{"CostParameter":67108864},"per_request":{"reasons":[]}})",
                                *sealed_memfd("p", bytes_of("package"))});
    std::string description = kDescription;
    if (text.starts_with("wordy")) description.resize(limits::kDescriptionBytes, ' ');
    if (text.starts_with("wide")) description.replace(description.find("[1,4]"), 5, "[1,5]");
    done(ImportedModel{description, *sealed_memfd("p", bytes_of("package of " + text))});
  }
  void try_version(VersionToTry version, std::shared_ptr<HangUp>, std::function<void(Status)> done) override {
    tried_.push_back(version);
    if (at_work_) at_work_();
    if (trial_failure_.empty()) return done(Ok{});
    done(make_error(Code::kFailedPrecondition, trial_failure_));
  }
  void drop_version(const std::string& api_id) override { dropped_.push_back(api_id); }
  /// "two PARTS" holds the jobs that the index of this test names; anything else is a model itself.
  void unpack(ImportRequest request, std::function<void(Result<UnpackedResults>)> done) override {
    const auto mapping = Mapping::map(request.file.get());
    const std::string text(text_of(mapping->bytes()));
    if (text == "no results") return done(invalid("the archive holds no results"));
    const bool is_folder = text.starts_with("two ");
    done(UnpackedResults{is_folder ? index_ : kOneModel,
                         *sealed_memfd("p", bytes_of(is_folder ? text.substr(4) : ""))});
  }
  void describe(std::vector<std::string> ids, std::function<void(std::vector<ServingState>)> done) override {
    std::vector<ServingState> states;
    for (const std::string& id : ids) {
      const PublishedApi* api = catalog_ ? catalog_->find(id) : nullptr;
      states.push_back({api != nullptr && api->enabled ? "running" : "stopped", "", 1});
    }
    done(std::move(states));
  }
  CatalogSnapshot catalog_;
  std::vector<VersionToTry> tried_;
  std::vector<std::string> dropped_;
  std::string index_ = kTwoJobs;
  std::string trial_failure_;
  std::function<void()> at_work_;  ///< called when a model is looked at
};

struct Answer {
  int status = 0;
  json::object body;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string text(const char* name) const { return std::string(body.at(name).as_string()); }
};

class ManagementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    admin_ = Accounts::make_first_admin();
    ASSERT_TRUE(accounts_.create_first_admin(admin_).ok());
    ASSERT_TRUE(
        store_->add_owner({"u1", OwnerKind::kPerson, "jun", OwnerPlan::kFree, Role::kUser, "", 0}).ok());
    ASSERT_TRUE(store_->add_token({"t1", "u1", "n", keyring_.digest_token(Secret("user token")), 0, 0}).ok());
    service_ =
        make_management_service({control_, files_, *store_, keyring_, accounts_, jobs_, apis_, versions_,
                                 usage_, serving_, clock_, rules_, [] { return std::string("http://h"); }});
  }
  void TearDown() override {
    files_.stop();
    control_.stop();
  }

  Answer send(ManagementRequest request) {
    std::promise<ManagementResponse> promise;
    service_->handle(std::move(request),
                     [&](ManagementResponse response) { promise.set_value(std::move(response)); });
    ManagementResponse response = promise.get_future().get();
    Answer answer{response.status, {}, response.content_type, response.headers};
    answer.body = json::parse(response.body).as_object();
    return answer;
  }
  ManagementRequest request(const std::string& method, const std::string& path,
                            const std::string& body = "") {
    ManagementRequest made;
    made.method = method;
    const std::size_t question = path.find('?');
    made.path = "/v1/management/" + path.substr(0, question);
    if (question != std::string::npos) made.query = path.substr(question + 1);
    made.bearer_token = Secret(std::string(admin_.token.reveal()));
    made.body = body;
    made.body_size_bytes = body.size();
    made.request_id = "r1";
    return made;
  }
  Answer call(const std::string& method, const std::string& path, const std::string& body = "") {
    return send(request(method, path, body));
  }
  Answer call_as_user(const std::string& method, const std::string& path, const std::string& body = "") {
    ManagementRequest made = request(method, path, body);
    made.bearer_token = Secret("user token");
    return send(std::move(made));
  }
  std::string import(const std::string& model = "model") {
    const Answer job = call("POST", "jobs?file_name=iris.nnp&kept=false", model);
    EXPECT_EQ(job.status, 201) << json::serialize(job.body);
    return job.text("id");
  }
  Answer publish(const std::string& more = "") {
    return call("POST", "apis", R"({"job":")" + import() + "\"" + more + "}");
  }

  std::unique_ptr<Store> store_ = make_memory_store();
  MemoryBlobStore blobs_;
  Keyring keyring_ = *Keyring::from_master_key(Keyring::make_master_key());
  ManualClock clock_{1'594'098'000'000'000};
  ApiRules rules_{1000, 2000, 30'000, 128, 67'108'864, 10, 20, 4, "it has no GPU"};
  FirstAdmin admin_;
  Accounts accounts_{*store_, keyring_, clock_};
  Jobs jobs_{*store_, blobs_, clock_};
  Apis apis_{*store_, keyring_, clock_, rules_};
  Versions versions_{*store_, clock_, rules_};
  Usage usage_{*store_, "run", 500};
  FakeServing serving_;
  TaskThread control_{"control"}, files_{"files"};
  std::unique_ptr<ManagementService> service_;
};

}  // namespace noren::server
