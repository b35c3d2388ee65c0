// The contract's answers, byte for byte, through real sockets.
#include <algorithm>
#include <thread>

#include <gtest/gtest.h>

#include "server/http/testing/test_server.h"

namespace noren::server::testing {
namespace {

using Response = Client::Response;

std::string error_body(const Response& response, const std::string& code, const std::string& error,
                       const std::string& message, const std::string& more = {}) {
  return "{\"code\":\"" + code + "\",\"error\":\"" + error + "\",\"message\":\"" + message +
         "\",\"data\":{\"request_id\":\"" + response.header("x-request-id") + "\"" + more + "}}";
}

bool is_uuid4(const std::string& text) {
  if (text.size() != 36 || text[14] != '4' || std::string("89ab").find(text[19]) == std::string::npos)
    return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-' : std::string("0123456789abcdef").find(text[i]) == std::string::npos)
      return false;
  }
  return true;
}

Response ask(const TestServer& server, const std::string& request) {
  Client client(server.port());
  Response response = client.ask(request);
  EXPECT_TRUE(is_uuid4(response.header("x-request-id"))) << response.head;
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  return response;
}

struct Way {
  ExecutionType type;
  std::string digits;
  std::string (*path)(const std::string&);
};

class Contract : public ::testing::TestWithParam<Way> {
 protected:
  std::string path(const std::string& id) const { return GetParam().path(id); }
  std::string code(const std::string& head, const std::string& tail) const {
    return head + GetParam().digits + tail;
  }
  PublishedApi api(const std::string& id = "a1", std::uint32_t number = 1) const {
    return make_api(id, number, GetParam().type);
  }
  /// A dedicated API takes requests when its instance is there.
  static void wait_ready(TestServer& server, const std::string& id = "a1") {
    ASSERT_TRUE(
        server.eventually([&] { return server.plane().status(id)->state == InstanceState::kRunning; }));
  }
};

TEST_P(Contract, AnswersAnInference) {
  TestServer server({api()});
  wait_ready(server);
  const Response response = ask(server, post_request(path("a1"), "hello"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"ok":"hello","version":"20200707_051647035778"})");
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("Connection"), "");
  EXPECT_TRUE(server.eventually([&] { return server.plane().calls_count() == 0; }));
  EXPECT_EQ(server.usage(1).successes(), 1U);
}

TEST_P(Contract, RefusesWrongKeysAndUnknownIdsAlike) {
  TestServer server({api()});
  wait_ready(server);
  const std::string start = "POST " + path("a1") + " HTTP/1.1\r\nHost: x\r\n";
  for (const std::string& request :
       {post_request(path("nobody"), "x"), start + "Content-Length: 1\r\n\r\nx",
        start + "x-api-key: wrong\r\nContent-Length: 1\r\n\r\nx", start + "x-api-key:\r\n\r\n",
        "POST " + path("nobody") + " HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    const Response response = ask(server, request);
    EXPECT_EQ(response.status, 403);
    EXPECT_EQ(response.body, error_body(response, code("4031", "0301"), "ACCESS_DENIED", "Invalid API key"));
  }
  EXPECT_EQ(server.usage(1).successes(), 0U);
}

TEST_P(Contract, TakesEveryKeyOfAnApi) {
  PublishedApi published = api();
  published.keys.push_back({"second", digest_of("another-key-of-16", test_digest_key())});
  TestServer server({published});
  wait_ready(server);
  EXPECT_EQ(ask(server, post_request(path("a1"), "x")).status, 200);
  EXPECT_EQ(
      ask(server, "POST " + path("a1") +
                      " HTTP/1.1\r\nHost: x\r\nX-API-Key: another-key-of-16\r\nContent-Length: 1\r\n\r\nx")
          .status,
      200);
  published.keys.pop_back();
  server.apply({published});
  EXPECT_EQ(
      ask(server, "POST " + path("a1") +
                      " HTTP/1.1\r\nHost: x\r\nx-api-key: another-key-of-16\r\nContent-Length: 1\r\n\r\nx")
          .status,
      403);
}

TEST_P(Contract, TellsTheRightPathToWhoHasTheKeyOnly) {
  const bool is_dedicated = GetParam().type == ExecutionType::kDedicated;
  TestServer server(
      {make_api("a1", 1, is_dedicated ? ExecutionType::kPerRequest : ExecutionType::kDedicated)});
  const Response response = ask(server, post_request(path("a1"), "x"));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.header("Content-Type"), "text/plain; charset=utf-8");
  const std::string right_path =
      is_dedicated ? "/v1/serverless/classifiers/{id}/inference" : "/v1/classifiers/{id}/inference";
  EXPECT_NE(response.body.find(right_path), std::string::npos) << response.body;
  const Response without = ask(
      server, "POST " + path("a1") + " HTTP/1.1\r\nHost: x\r\nx-api-key: no\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(without.status, 403);
  EXPECT_EQ(without.body, error_body(without, code("4031", "0301"), "ACCESS_DENIED", "Invalid API key"));
}

TEST_P(Contract, RefusesSourcesThatAreNotAllowed) {
  PublishedApi published = api();
  published.allowed_networks = {*parse_ip_network("10.0.0.0/8"), *parse_ip_network("2001:db8::/32")};
  TestServer server({published});
  const Response response = ask(server, post_request(path("a1"), "x"));
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body,
            error_body(response, code("4031", "0303"), "ACCESS_DENIED", "Not allowed source ip"));
  published.allowed_networks.push_back(*parse_ip_network("127.0.0.0/8"));
  server.apply({published});
  wait_ready(server);
  EXPECT_EQ(ask(server, post_request(path("a1"), "x")).status, 200);
}

TEST_P(Contract, SaysThatItIsSwitchedOff) {
  PublishedApi published = api();
  published.enabled = false;
  TestServer server({published});
  const Response response = ask(server, post_request(path("a1"), "x"));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, error_body(response, code("5031", "0101"), "SERVICE_UNAVAILABLE_ERROR",
                                      "status is not running (status: stopped)"));
  EXPECT_FALSE(response.header("Retry-After").empty());
  published.enabled = true;
  server.apply({published});
  wait_ready(server);
  EXPECT_EQ(ask(server, post_request(path("a1"), "x")).status, 200);
}

TEST_P(Contract, RefusesBodiesThatAreTooLarge) {
  PublishedApi published = api();
  published.body_limit_bytes = 1'000;
  TestServer server({published});
  wait_ready(server);
  EXPECT_EQ(ask(server, post_request(path("a1"), std::string(1'000, 'x'))).status, 200);
  const Response response = ask(server, post_request(path("a1"), std::string(1'001, 'x')));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body,
            error_body(response, code("4131", "0101"), "PAYLOAD_TOO_LARGE", "Request body is too large",
                       ",\"detail\":\"at most 1000 bytes are taken\""));
  const Response inflated = ask(server, post_request(path("a1"), "toolarge"));
  EXPECT_EQ(inflated.status, 413);
  EXPECT_EQ(inflated.body,
            error_body(inflated, code("4131", "0101"), "PAYLOAD_TOO_LARGE", "Request body is too large"));
}

TEST_P(Contract, PassesTheDetailOfAnInvalidRequestOn) {
  TestServer server({api()});
  wait_ready(server);
  const Response response =
      ask(server, post_request(path("a1"), "invalid inputs[0] 'x': \"4\" \n \xff\xc3\xa9"));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body,
            error_body(response, code("4001", "0104"), "BAD_REQUEST", "Invalid request",
                       ",\"detail\":\"inputs[0] 'x': \\\"4\\\" \\u000a \xef\xbf\xbd\xc3\xa9\""));
  const Response coded = ask(server, post_request(path("a1"), "x", "Content-Encoding: br\r\n"));
  EXPECT_EQ(coded.status, 400);
  EXPECT_EQ(coded.body, error_body(coded, code("4001", "0104"), "BAD_REQUEST", "Invalid request",
                                   ",\"detail\":\"Content-Encoding: only gzip is taken\""));
  EXPECT_EQ(server.usage(1).successes(), 0U);
}

TEST_P(Contract, RefusesWhatTheQueueCannotHold) {
  PublishedApi published = api();
  published.queue_limit_count = 2;
  TestServer server({published});
  wait_ready(server);
  Client first(server.port()), second(server.port());
  first.send(post_request(path("a1"), "hang"));
  second.send(post_request(path("a1"), "hang"));
  ASSERT_TRUE(server.eventually([&] { return server.plane().calls_count() == 2; }));
  const Response response = ask(server, post_request(path("a1"), "x"));
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body,
            error_body(response, code("4291", "0101"), "TOO_MANY_REQUESTS", "Too many requests"));
  EXPECT_GE(std::stoi(response.header("Retry-After")), 1);
}

TEST_P(Contract, AnswersInternalErrorsWithoutTheirReason) {
  TestServer server({api()});
  wait_ready(server);
  for (const char* body : {"internal", "die"}) {
    const Response response = ask(server, post_request(path("a1"), body));
    EXPECT_EQ(response.status, 500);
    EXPECT_EQ(response.body,
              error_body(response, code("5001", "0101"), "INTERNAL_SERVER_ERROR", "Internal server error"));
    wait_ready(server);
  }
  EXPECT_EQ(server.usage(1).successes(), 0U);
}

TEST_P(Contract, SaysWhenARequestKillsWhoeverReadsIt) {
  TestServer server({api()});
  wait_ready(server);
  // More of them than a dedicated instance may fail in a row: they are no failures of the model's.
  for (int round = 1; round <= 8; ++round) {
    const Response response = ask(server, post_request(path("a1"), "unreadable"));
    EXPECT_EQ(response.status, 400);
    EXPECT_NE(response.body.find(code("4001", "0104")), std::string::npos) << response.body;
    EXPECT_NE(response.body.find("inputs: a file in the request could not be decoded"), std::string::npos);
    server.on_loop([&] { EXPECT_EQ(std::ranges::count(server.host().bodies, "unreadable"), 2 * round); });
    wait_ready(server);
  }
  EXPECT_EQ(ask(server, post_request(path("a1"), "fine")).status, 200);
  EXPECT_EQ(server.usage(1).successes(), 1U);
}

TEST_P(Contract, StopsWhatTakesTooLong) {
  PublishedApi published = api();
  published.deadline_ms = 200;
  TestServer server({published});
  wait_ready(server);
  const Response response = ask(server, post_request(path("a1"), "hang"));
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(response.body,
            error_body(response, code("5041", "0101"), "TIMEOUT", "Inference did not finish in time"));
  server.on_loop([&] { EXPECT_EQ(server.host().killed_count, 1); });
  EXPECT_EQ(server.usage(1).successes(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Types, Contract,
                         ::testing::Values(Way{ExecutionType::kPerRequest, "02", serverless_path},
                                           Way{ExecutionType::kDedicated, "03", dedicated_path}),
                         [](const auto& each) {
                           return each.param.digits == "02" ? "PerRequest" : "Dedicated";
                         });

TEST(ContractOrder, ChecksComeInTheContractsOrder) {
  // Each step adds what the step before it would hide.
  PublishedApi api = make_api("a1", 1);
  api.owner_plan = Plan::kFree;
  api.enabled = false;
  api.allowed_networks = {*parse_ip_network("10.0.0.0/8")};
  api.body_limit_bytes = 10;
  TestServerOptions options;
  options.free_requests_count = 0;
  TestServer server({api}, options);
  const std::string large(100, 'x');
  EXPECT_EQ(ask(server, "GET /v1/elsewhere HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
  EXPECT_EQ(ask(server, "GET " + serverless_path("a1") + " HTTP/1.1\r\nHost: x\r\n\r\n").status, 405);
  EXPECT_EQ(ask(server, "POST " + serverless_path("a1") + " HTTP/1.1\r\nHost: x\r\n\r\n").body.substr(9, 10),
            "4031020301");
  EXPECT_EQ(ask(server, post_request(serverless_path("a1"), large)).body.substr(9, 10), "4031020303");
  api.allowed_networks.clear();
  server.apply({api});
  EXPECT_EQ(ask(server, post_request(serverless_path("a1"), large)).body.substr(9, 10), "5031020101");
  api.enabled = true;
  server.apply({api});
  EXPECT_EQ(ask(server, post_request(serverless_path("a1"), large)).body.substr(9, 10), "4031020302");
  api.owner_plan = Plan::kPaid;
  api.queue_limit_count = 0;
  server.apply({api});
  EXPECT_EQ(ask(server, post_request(serverless_path("a1"), large)).body.substr(9, 10), "4291020101");
  api.queue_limit_count = 8;
  server.apply({api});
  EXPECT_EQ(ask(server, post_request(serverless_path("a1"), large)).body.substr(9, 10), "4131020101");
  api.body_limit_bytes = 1'000;
  server.apply({api});
  EXPECT_EQ(ask(server, post_request(serverless_path("a1"), "invalid x")).body.substr(9, 10), "4001020104");
}

TEST(ContractPaths, WhatIsNoApiUrlAnswersInPlainText) {
  TestServer server({make_api("a1", 1)});
  for (const char* path :
       {"/", "/v1", "/v1/serverless/classifiers/a1", "/v1/serverless/classifiers/a1/inference/",
        "/v1/serverless/classifiers//inference", "/v1/serverless/classifiers/a/b/inference",
        "/v2/serverless/classifiers/a1/inference", "/v1/classifiers/inference",
        "/V1/classifiers/a1/inference", "/v1/serverless/classifiers/../classifiers/a1/inference", "*"}) {
    const Response response = ask(server, post_request(path, "x"));
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.header("Content-Type"), "text/plain; charset=utf-8");
  }
  // A query and the absolute form name the same path.
  EXPECT_EQ(ask(server, post_request(serverless_path("a1") + "?a=b", "x")).status, 200);
  EXPECT_EQ(ask(server, post_request("http://elsewhere:80" + serverless_path("a1"), "x")).status, 200);
}

TEST(ContractPaths, OtherMethodsAreNotAllowed) {
  TestServer server({make_api("a1", 1)});
  for (const char* method : {"GET", "PUT", "DELETE", "PATCH", "FANCY"}) {
    const Response response =
        ask(server, std::string(method) + " " + serverless_path("a1") + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.header("Allow"), "POST, OPTIONS");
  }
}

TEST(ContractCors, BrowsersMayCall) {
  TestServer server({make_api("a1", 1)});
  const std::string preflight =
      " HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: "
      "POST\r\nAccess-Control-Request-Headers: content-type,x-api-key\r\n\r\n";
  for (const std::string& id : {std::string("a1"), std::string("nobody")}) {
    const Response response = ask(server, "OPTIONS " + serverless_path(id) + preflight);
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.header("Access-Control-Allow-Headers"), "content-type, x-api-key");
    EXPECT_EQ(response.header("Access-Control-Allow-Methods"), "POST, OPTIONS");
    EXPECT_EQ(response.header("Content-Length"), "");
  }
  TestServerOptions options;
  options.http.cors = false;
  TestServer plain({make_api("a1", 1)}, options);
  Client client(plain.port());
  const Response refused = client.ask("OPTIONS " + serverless_path("a1") + preflight);
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), "");
}

TEST(ContractHealth, SaysWhetherItLivesAndIsReady) {
  TestServer server;
  EXPECT_EQ(ask(server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").body, "ok\n");
  EXPECT_EQ(ask(server, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
  server.on_loop([&] { server.not_ready_reason = "no probe answered"; });
  const Response response = ask(server, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, "not ready: no probe answered\n");
  Client client(server.port());
  client.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  // Nothing but a head answers HEAD: the next answer begins right behind it.
  EXPECT_EQ(client.receive_head().header("Content-Length"), "3");
  EXPECT_EQ(client.receive().body, "ok\n");
}

TEST(ContractQuota, ServesNotOneMoreThanTheFreeRequests) {
  PublishedApi api = make_api("a1", 1);
  api.owner_plan = Plan::kFree;
  TestServerOptions options;
  options.free_requests_count = 50;
  TestServer server({api}, options);
  std::atomic<int> served = 0, used_up = 0, others = 0;
  std::vector<std::thread> callers;
  callers.reserve(8);
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      Client client(server.port());
      for (int k = 0; k < 20; ++k) {
        // Some fail and give their permit back: who waited for it gets it.
        const Response response =
            client.ask(post_request(serverless_path("a1"), k % 4 == i % 4 ? "invalid x" : "x"));
        if (response.status == 200) ++served;
        if (response.status == 403) ++used_up;
        if (response.status != 200 && response.status != 403 && response.status != 400) ++others;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(served, 50);
  EXPECT_GT(used_up, 0);
  EXPECT_EQ(others, 0);
  EXPECT_EQ(server.usage(1).successes(), 50U);
  const Response response = ask(server, post_request(serverless_path("a1"), "x"));
  EXPECT_EQ(response.body, error_body(response, "4031020302", "ACCESS_DENIED", "Can not publish api"));
  // A plan lifts the end at once.
  api.owner_plan = Plan::kPaid;
  server.apply({api});
  EXPECT_EQ(ask(server, post_request(serverless_path("a1"), "x")).status, 200);
}

TEST(ContractQuota, TheLastPermitIsWaitedFor) {
  PublishedApi api = make_api("a1", 1);
  api.owner_plan = Plan::kFree;
  TestServerOptions options;
  options.free_requests_count = 1;
  options.plane.workers_per_api_count = 1;
  TestServer server({api}, options);
  Client holder(server.port()), waiting(server.port());
  holder.send(post_request(serverless_path("a1"), "sleep 300"));
  ASSERT_TRUE(server.eventually([&] { return server.plane().calls_count() == 1; }));
  EXPECT_EQ(waiting.ask(post_request(serverless_path("a1"), "x")).status, 403);
  EXPECT_EQ(holder.receive().status, 200);

  server.on_loop([&] { server.quota().left["a1"] = 0; });
  api.number = 2;  // published anew: another API
  server.apply({api});
  server.on_loop([&] { server.quota().left["a1"] = 1; });
  Client failing(server.port()), lucky(server.port());
  failing.send(post_request(serverless_path("a1"), "sleep 300"));
  ASSERT_TRUE(server.eventually([&] { return server.plane().calls_count() == 1; }));
  lucky.send(post_request(serverless_path("a1"), "x"));
  failing.reset();  // hangs up: its permit goes to the one that waits
  EXPECT_EQ(lucky.receive().status, 200);
}

}  // namespace
}  // namespace noren::server::testing
