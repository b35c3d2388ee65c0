// The contract's answers, byte for byte, through real sockets.
#include <gtest/gtest.h>

#include "server/http/testing/test_server.h"

namespace noren::server::testing {
namespace {

std::string error_body(const std::string& code, const std::string& error, const std::string& message,
                       const std::string& request_id, const std::string& more = {}) {
  return "{\"code\":\"" + code + "\",\"error\":\"" + error + "\",\"message\":\"" + message +
         "\",\"data\":{\"request_id\":\"" + request_id + "\"" + more + "}}";
}

TEST(HttpServer, AnswersAnInference) {
  TestServer server({make_api("iris", 1)});
  Client client(server.port());
  const auto response = client.ask(post_request(serverless_path("iris"), "hello"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"ok":"hello","version":"20200707_051647035778"})");
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("x-request-id").size(), 36U);
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.header("Connection"), "");
  EXPECT_TRUE(server.eventually([&] { return server.plane().calls_count() == 0; }));
  EXPECT_EQ(server.usage(1).successes(), 1U);
}

TEST(HttpServer, RefusesWithoutTheRightKeyAndAnUnknownIdAlike) {
  TestServer server({make_api("iris", 1)});
  for (const std::string& request :
       {post_request(serverless_path("nobody"), "x"),
        "POST " + serverless_path("iris") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
        "POST " + serverless_path("iris") +
            " HTTP/1.1\r\nHost: x\r\nx-api-key: wrong\r\nContent-Length: 1\r\n\r\nx",
        "POST " + serverless_path("iris") +
            " HTTP/1.1\r\nHost: x\r\nx-api-key:\r\nContent-Length: 1\r\n\r\nx"}) {
    Client client(server.port());
    const auto response = client.ask(request);
    EXPECT_EQ(response.status, 403);
    EXPECT_EQ(response.body,
              error_body("4031020301", "ACCESS_DENIED", "Invalid API key", response.header("x-request-id")));
  }
  EXPECT_EQ(Client(server.port()).ask(post_request(dedicated_path("nobody"), "x")).body.substr(0, 20),
            R"({"code":"4031030301")");
}

}  // namespace
}  // namespace noren::server::testing
