// Settings of an API, at publish and later, and what it ran.
#include "server/management/management_fixture.h"

namespace noren::server {
namespace {

TEST_F(ManagementTest, InstanceSecondsStandBesideTheCounts) {
  const Answer api = publish(R"(,"type":"dedicated")");
  const std::string path = "apis/" + api.text("id");
  const std::uint32_t number = serving_.catalog_->find(api.text("id"))->number;
  const WallUs midnight = (clock_.wall_us() / 86'400'000'000) * 86'400'000'000;
  ASSERT_TRUE(
      usage_.put_instance_time({{number, 0, false, {midnight - 5'000'000, midnight + 7'000'000}}}).ok());
  const Answer usage = call("GET", path + "/usage?days=1");
  EXPECT_EQ(usage.body.at("total").at("cpu_instance_seconds").as_int64(), 12);
  ASSERT_EQ(usage.body.at("days").as_array().size(), 1u);
  EXPECT_EQ(usage.body.at("days").at(0).at("cpu_instance_seconds").as_int64(), 7);
  EXPECT_EQ(usage.body.at("days").at(0).at("successes").as_int64(), 0);
  EXPECT_EQ(call("GET", path + "/usage?days=2").body.at("days").as_array().size(), 2u);
  EXPECT_EQ(call("GET", path).body.at("cpu_instance_seconds").as_int64(), 12);
  const Answer other = publish(R"(,"type":"dedicated")");
  const json::array list = call("GET", "apis").body.at("apis").as_array();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0], json::value(call("GET", "apis/" + other.text("id")).body));
  EXPECT_EQ(list[1], json::value(call("GET", path).body));
}

TEST_F(ManagementTest, SettingsAreTakenAtPublishAndShown) {
  const Answer made = publish(
      R"(,"type":"dedicated","instances":2,"threads":3,"instance_type":"cpu","queue_limit":9,"rate_limit":5,
         "body_limit_bytes":2048,"deadline_ms":60000,"batching":false,"keep_output_names":true,
         "schedule":["tue-thu 1:00-02:00",{"days":["Wed"],"start":"23:45","end":"24:00"}])");
  ASSERT_EQ(made.status, 201) << json::serialize(made.body);
  const Answer shown = call("GET", "apis/" + made.text("id"));
  const json::value schedule = json::parse(
      R"([{"days":["Tue","Wed","Thu"],"start":"01:00","end":"02:00"},
          {"days":["Wed"],"start":"23:45","end":"24:00"}])");
  for (const Answer& answer : {made, shown}) {
    EXPECT_EQ(answer.body.at("schedule"), schedule);
    EXPECT_EQ(answer.text("instance_type"), "cpu");
    EXPECT_EQ(answer.text("next_start"), "2020-07-08T01:00:00Z");  // it is Tuesday, 05:00
    EXPECT_EQ(answer.text("next_stop"), "2020-07-08T02:00:00Z");
    EXPECT_EQ(answer.body.at("ready_instances").as_int64(), 1);
    for (const auto& [name, value] : {std::pair("instances", 2),
                                      {"threads", 3},
                                      {"queue_limit", 9},
                                      {"rate_limit", 5},
                                      {"body_limit_bytes", 2048},
                                      {"deadline_ms", 60'000}})
      EXPECT_EQ(answer.body.at(name).to_number<int>(), value) << name;
  }
  const PublishedApi* api = serving_.catalog_->find(made.text("id"));
  EXPECT_EQ(api->instances_count, 2);
  EXPECT_EQ(api->rate_limit_per_s, 5);
  EXPECT_FALSE(api->batching);
  EXPECT_EQ(api->schedule.windows().size(), 2u);
}

TEST_F(ManagementTest, AChangeLeavesAloneWhatItDoesNotName) {
  const Answer made = publish(R"(,"type":"dedicated","instances":2,"schedule":["Mon 01:00-02:00"])");
  const std::string path = "apis/" + made.text("id");
  const Answer changed = call("PATCH", path, R"({"queue_limit":7,"name":"名前"})");
  ASSERT_EQ(changed.status, 200) << json::serialize(changed.body);
  EXPECT_EQ(changed.body.at("instances").as_int64(), 2);
  EXPECT_TRUE(changed.body.at("schedule").is_array());
  EXPECT_EQ(changed.text("name"), "名前");
  EXPECT_EQ(store_->list_audit(1)->front().action, "api.update");
  const Answer back = call("PATCH", path, R"({"queue_limit":null,"instances":null,"schedule":"always"})");
  EXPECT_EQ(back.body.at("queue_limit").to_number<int>(), 128);
  EXPECT_EQ(back.body.at("instances").as_int64(), 1);
  EXPECT_EQ(back.text("schedule"), "always");
  EXPECT_FALSE(back.body.contains("next_start"));
  const Answer moved = call("PATCH", path, R"({"type":"per-request"})");
  EXPECT_EQ(moved.text("url"), "http://h/v1/serverless/classifiers/" + made.text("id") + "/inference");
  EXPECT_FALSE(moved.body.contains("instances"));
  EXPECT_EQ(call("PATCH", path, R"({"enabled":false})").text("state"), "stopped");
  EXPECT_EQ(store_->list_audit(1)->front().action, "api.off");
}

TEST_F(ManagementTest, WhatIsWrongInASettingIsSaidInOneSentence) {
  const std::string path = "apis/" + publish().text("id");
  for (const auto& [body, part] :
       {std::pair(R"({"instances":2})", "'instances' is for dedicated APIs"),
        {R"({"type":"dedicated","instances":65})", "from 1 to 64"},
        {R"({"type":"dedicated","instances":0})", "'instances' must be a whole"},
        {R"({"type":"dedicated","threads":1.5})", "'threads' must be a whole"},
        {R"({"type":"dedicated","schedule":[]})", "1 to 7 windows"},
        {R"({"type":"dedicated","schedule":[5]})", "a window of a schedule"},
        {R"({"type":"dedicated","schedule":[{"days":["Mon"],"from":1}]})", "'from'"},
        {R"({"type":"dedicated","schedule":[{"days":[],"start":"01:00","end":"02:00"}]})",
         "at least one weekday"},
        {R"({"type":"dedicated","schedule":[{"days":["Mon"],"start":"01:00"}]})", "no time of day"},
        {R"({"type":"dedicated","instance_type":"tpu"})", "\"cpu\" or \"gpu\""},
        {R"({"deadline_ms":30001})", "from 1 to 30000"},
        {R"({"name":"a/b"})", "must not hold '/'"},
        {R"({"name":""})", "must not be empty"},
        {R"({"batching":1})", "true or false"},
        {R"({"colour":1})", "unknown member 'colour'"}}) {
    const Answer answer = call("PATCH", path, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_NE(answer.text("detail").find(part), std::string::npos) << answer.text("detail");
  }
  const Answer gpu = call("PATCH", path, R"({"type":"dedicated","instance_type":"gpu"})");
  EXPECT_EQ(gpu.status, 409);
  EXPECT_EQ(gpu.text("detail"), "this server can't run a model on a GPU: it has no GPU");
  EXPECT_EQ(call("GET", path).text("type"), "per-request");
}

TEST_F(ManagementTest, TheServerSaysWhatItCanDo) {
  const Answer self = call("GET", "me");
  EXPECT_FALSE(self.body.at("capabilities").at("gpu").as_bool());
  EXPECT_EQ(self.body.at("capabilities").at("gpu_unavailable_reason").as_string(), "it has no GPU");
}

}  // namespace
}  // namespace noren::server
