// HTTP/1.1 as callers and attackers speak it: framing, limits, slowness, hang-ups. Through real sockets.
#include <unistd.h>

#include <gtest/gtest.h>

#include "server/http/testing/test_server.h"

namespace noren::server::testing {
namespace {

using Response = Client::Response;

const std::string kPath = serverless_path("a1");

std::string chunked_request(const std::string& chunks) {
  return "POST " + kPath + " HTTP/1.1\r\nHost: x\r\nx-api-key: " + kKey +
         "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
}

std::string chunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string head_of(std::size_t content_length, const std::string& more = {}) {
  return "POST " + kPath + " HTTP/1.1\r\nHost: x\r\nx-api-key: " + kKey + "\r\n" + more +
         "Content-Length: " + std::to_string(content_length) + "\r\n\r\n";
}

class Protocol : public ::testing::Test {
 protected:
  Protocol() : server_({make_api("a1", 1)}) {}
  TestServer server_;
};

TEST_F(Protocol, KeepsTheConnection) {
  Client client(server_.port());
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(client.ask(post_request(kPath, "n" + std::to_string(i))).body.substr(0, 9),
              ("{\"ok\":\"n" + std::to_string(i)).substr(0, 9));
  server_.on_loop([&] { EXPECT_EQ(server_.http().connections_count(), 1U); });
}

TEST_F(Protocol, AnswersPipelinedRequestsInOrder) {
  Client client(server_.port());
  std::string all;
  for (int i = 0; i < 300; ++i) all += post_request(i % 7 == 3 ? "/nowhere" : kPath, std::to_string(i));
  client.send(all);
  for (int i = 0; i < 300; ++i) {
    const Response response = client.receive();
    if (i % 7 == 3) {
      EXPECT_EQ(response.status, 404);
    } else {
      EXPECT_EQ(response.body.find("{\"ok\":\"" + std::to_string(i) + "\""), 0U) << response.body;
    }
  }
}

TEST_F(Protocol, TakesRequestsInAnyPieces) {
  Client client(server_.port());
  const std::string request =
      "\r\n" + post_request(kPath, "hello") + chunked_request(chunk("ab") + chunk("c") + "0\r\n\r\n");
  for (const char byte : request) client.send(std::string_view(&byte, 1));
  EXPECT_EQ(client.receive().body.find("{\"ok\":\"hello\""), 0U);
  EXPECT_EQ(client.receive().body.find("{\"ok\":\"abc\""), 0U);
}

TEST_F(Protocol, HandsLargeBodiesOverInAMemoryFile) {
  for (const std::size_t size :
       {limits::kBodyInlineBytes - 1, limits::kBodyInlineBytes, std::size_t{3'000'000}}) {
    Client client(server_.port());
    std::string body(size, 'y');
    body.replace(0, 8, "abcdefgh");
    const std::string expected = size < limits::kBodyInlineBytes
                                     ? "{\"ok\":\"" + body.substr(0, 20)
                                     : "{\"ok\":\"memfd of " + std::to_string(size) + " from abcdefgh";
    EXPECT_EQ(client.ask(post_request(kPath, body)).body.substr(0, expected.size()), expected);
    // The same in chunks of odd sizes, twice on one connection.
    std::string chunks;
    for (std::size_t at = 0; at < size;) {
      const std::size_t count = std::min<std::size_t>(1 + at % 40'000, size - at);
      chunks += chunk(body.substr(at, count));
      at += count;
    }
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(
          client.ask(chunked_request(chunks + "0\r\nX-Trailer: a\r\n\r\n")).body.substr(0, expected.size()),
          expected);
  }
  EXPECT_EQ(Client(server_.port())
                .ask(post_request(kPath, "zip", "Content-Encoding: gzip\r\n"))
                .body.find("{\"ok\":\"gzip zip\""),
            0U);
}

TEST_F(Protocol, EmptyBodiesReachTheWorker) {
  Client client(server_.port());
  const std::string head = "POST " + kPath + " HTTP/1.1\r\nHost: x\r\nx-api-key: " + kKey + "\r\n";
  EXPECT_EQ(client.ask(head + "\r\n").body.find("{\"ok\":\"\""), 0U);
  EXPECT_EQ(client.ask(head + "Content-Length: 0\r\n\r\n").body.find("{\"ok\":\"\""), 0U);
  EXPECT_EQ(client.ask(chunked_request("0\r\n\r\n")).body.find("{\"ok\":\"\""), 0U);
}

TEST_F(Protocol, SpeaksToOldClients) {
  Client client(server_.port());
  const std::string key = std::string("x-api-key: ") + kKey + "\r\n";
  const Response kept = client.ask("POST " + kPath + " HTTP/1.0\r\n" + key +
                                   "Connection: keep-alive\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(kept.status, 200);
  EXPECT_EQ(kept.header("Connection"), "keep-alive");
  const Response closed = client.ask("POST " + kPath + " HTTP/1.0\r\n" + key + "Content-Length: 1\r\n\r\nx");
  EXPECT_EQ(closed.status, 200);
  EXPECT_EQ(closed.header("Connection"), "close");
  EXPECT_TRUE(client.is_closed());
  Client closing(server_.port());
  EXPECT_EQ(closing.ask(post_request(kPath, "x", "Connection: close\r\n")).header("Connection"), "close");
  EXPECT_TRUE(closing.is_closed());
}

TEST_F(Protocol, RefusesWhatIsNoHttp) {
  const std::string start = "POST " + kPath + " HTTP/1.1\r\nHost: x\r\nx-api-key: " + kKey + "\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"\x16\x03\x01\x02\x00\x01\x00", 400},  // TLS on a plain port
      {"POST /x\r\n\r\n", 400},
      {"POST /x HTTP/1.1 \r\nHost: x\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET /healthz HTTP/1.1\r\n\r\n", 400},  // no Host
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n", 400},
      {"GET /healthz HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400},
      {start + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
      {start + "Content-Length: -1\r\n\r\n", 400},
      {start + "Content-Length: 99999999999999999999999\r\n\r\n", 400},
      {start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {start + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
      {start + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {start + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST " + kPath + " HTTP/1.0\r\nx-api-key: " + kKey +
           "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       501},
      {"POST " + kPath + " HTTP/1.1\r\nHost: x\r\nx-api-key: a\r\n " + kKey + "\r\n\r\n", 400},
      {start + "X: folded\r\n\tover lines\r\n\r\n", 400},
      {chunked_request("zz\r\n"), 400},
      {chunked_request("5\r\nhelloXX0\r\n\r\n"), 400},
      {chunked_request("fffffffffffffffff\r\n"), 400},
      {chunked_request("5;" + std::string(20'000, 'e') + "\r\nhello\r\n0\r\n\r\n"), 400},
      {"GET /" + std::string(limits::kHttpHeaderBytes, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
      {"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + std::string(limits::kHttpHeaderBytes, 'a') + "\r\n\r\n",
       431},
  };
  for (const auto& [request, status] : cases) {
    Client client(server_.port());
    client.try_send(request);
    const Response response = client.receive();
    EXPECT_EQ(response.status, status) << request.substr(0, 200);
    EXPECT_EQ(response.header("Connection"), "close");
    EXPECT_EQ(response.header("x-request-id").size(), 36U);
    client.shutdown_send();
    EXPECT_TRUE(client.is_closed());
  }
  EXPECT_EQ(server_.usage(1).successes(), 0U);
}

TEST_F(Protocol, HoldsHeadersToTheirLimits) {
  // At the limit, and one past it.
  const std::string line = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
  const std::size_t rest = limits::kHttpHeaderBytes - line.size() - std::string("X: \r\n\r\n").size();
  EXPECT_EQ(Client(server_.port()).ask(line + "X: " + std::string(rest, 'a') + "\r\n\r\n").status, 200);
  EXPECT_EQ(Client(server_.port()).ask(line + "X: " + std::string(rest + 1, 'a') + "\r\n\r\n").status, 431);
  std::string fields;
  for (std::size_t i = 1; i < limits::kHttpHeaderCount; ++i) fields += "X: 1\r\n";
  EXPECT_EQ(Client(server_.port()).ask(line + fields + "\r\n").status, 200);
  EXPECT_EQ(Client(server_.port()).ask(line + fields + "X: 1\r\n\r\n").status, 431);
}

TEST_F(Protocol, BoundsTheNumberOfChunks) {
  // Three million tiny chunks once overflowed another server's stack.
  Client client(server_.port());
  std::string chunks;
  for (std::size_t i = 0; i + 1 < limits::kHttpChunkCount; ++i) chunks += "1\r\nx\r\n";
  EXPECT_EQ(client.ask(chunked_request(chunks + "0\r\n\r\n")).status, 200);
  EXPECT_EQ(client.ask(chunked_request(chunks + "1\r\nx\r\n0\r\n\r\n")).status, 400);
}

TEST_F(Protocol, SaysContinueToWhoMaySend) {
  Client client(server_.port());
  client.send(head_of(5, "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.receive().head, "HTTP/1.1 100 Continue\r\n");
  client.send("hello");
  EXPECT_EQ(client.receive().status, 200);
  // Without a right to it: the answer comes at once, and nobody asks for the body.
  client.send("POST " + kPath + " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  const Response response = client.receive();
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.header("Connection"), "close");
  // Who doesn't wait is not told to go on.
  Client eager(server_.port());
  EXPECT_EQ(eager.ask(head_of(5, "Expect: 100-continue\r\n") + "hello").status, 200);
}

TEST_F(Protocol, ReadsRefusedBodiesSoThatTheAnswerIsSeen) {
  // Whole bodies of refused requests: the answer comes, and the connection goes on.
  Client client(server_.port());
  const std::string body(1'000'000, 'b');
  client.send("POST " + kPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + body);
  EXPECT_EQ(client.receive().status, 403);
  EXPECT_EQ(client.ask(post_request("/nowhere", body)).status, 404);
  EXPECT_EQ(client.ask(post_request(kPath, "x")).status, 200);
  // More than the limit: the answer comes although the caller is still sending.
  for (const std::size_t more : {std::size_t{1}, std::size_t{500'000}}) {
    Client large(server_.port());
    const std::string too_much(limits::kRequestBodyPerRequestBytes + more, 'b');
    large.try_send(post_request(kPath, too_much));
    EXPECT_EQ(large.receive().status, 413);
    Client chunks(server_.port());
    chunks.try_send(chunked_request(chunk(too_much) + "0\r\n\r\n"));
    EXPECT_EQ(chunks.receive().status, 413);
  }
  // A chunk that says so is not waited for.
  for (const char* size : {"A00001\r\n", "ffffffffffffffff\r\n"}) {
    Client honest(server_.port());
    EXPECT_EQ(honest.ask(chunked_request(chunk("x") + size)).status, 413);
  }
}

TEST_F(Protocol, HoldsLargeBodiesOfManagementOnlyWhereTheyBelong) {
  const auto head = [](const std::string& path, const std::string& token, const std::string& length) {
    return "POST /v1/management/" + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n" +
           length + "\r\n\r\n";
  };
  const std::string large(limits::kBodyInlineBytes + 1, 'f'), fits(limits::kBodyInlineBytes, 'f');
  const auto length_of = [](const std::string& body) {
    return "Content-Length: " + std::to_string(body.size());
  };
  const std::string chunked = "Transfer-Encoding: chunked";
  const auto ask = [&](const std::string& text) { return Client(server_.port()).ask(text); };
  EXPECT_NE(ask(head("files", "right", length_of(large)) + large).body.find("memfd 65537"),
            std::string::npos);
  EXPECT_EQ(ask(head("files", "right", chunked) + chunk(large) + "0\r\n\r\n").status, 201);
  EXPECT_EQ(ask(head("apis", "right", length_of(fits)) + fits).status, 201);
  EXPECT_EQ(ask(head("apis", "right", chunked) + chunk(fits) + "0\r\n\r\n").status, 201);
  // Of what does not belong there, nothing is waited for.
  EXPECT_EQ(ask(head("apis", "right", "Content-Length: 2000000000")).status, 413);
  EXPECT_EQ(ask(head("apis", "right", chunked) + "77359400\r\n").status, 413);
  EXPECT_EQ(ask(head("files", "wrong", "Content-Length: 2000000000")).status, 401);
  EXPECT_EQ(ask(head("files", "wrong", chunked)).status, 401);
}

TEST_F(Protocol, AnswersWhoClosedTheirSendingSide) {
  Client client(server_.port());
  client.send(post_request(kPath, "one") + post_request(kPath, "two"));
  client.shutdown_send();
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.is_closed());
  // A slow answer is preceded by an interim one, which shows whether somebody is there.
  Client slow(server_.port());
  slow.send(post_request(kPath, "sleep 600"));
  slow.shutdown_send();
  EXPECT_EQ(slow.receive().status, 100);
  EXPECT_EQ(slow.receive().status, 200);
  EXPECT_TRUE(slow.is_closed());
}

TEST_F(Protocol, FreesWhatAGoneCallerHeld) {
  for (const bool with_reset : {false, true}) {
    Client client(server_.port());
    client.send(post_request(kPath, "hang"));
    ASSERT_TRUE(server_.eventually([&] { return server_.plane().calls_count() == 1; }));
    Client queued(server_.port());
    queued.send(post_request(kPath, "hang"));
    ASSERT_TRUE(server_.eventually([&] { return server_.plane().calls_count() == 2; }));
    with_reset ? queued.reset() : queued.close();
    ASSERT_TRUE(server_.eventually([&] { return server_.plane().calls_count() == 1; }));
    with_reset ? client.reset() : client.close();
    // It runs alone and for long: the worker is killed.
    ASSERT_TRUE(server_.eventually([&] { return server_.plane().calls_count() == 0; }));
    ASSERT_TRUE(server_.eventually([&] { return server_.http().connections_count() == 0; }));
  }
  server_.on_loop([&] { EXPECT_EQ(server_.host().killed_count, 2); });
  EXPECT_EQ(Client(server_.port()).ask(post_request(kPath, "x")).status, 200);
  EXPECT_EQ(server_.usage(1).successes(), 1U);
}

TEST_F(Protocol, SendsLargeAnswersToSlowReaders) {
  Client client(server_.port());
  client.send(post_request(kPath, "size 50000000"));
  ::usleep(100'000);
  EXPECT_EQ(client.receive().body.size(), 50'000'000U);
  EXPECT_EQ(client.ask(post_request(kPath, "x")).status, 200);
  EXPECT_TRUE(server_.eventually([&] { return server_.usage_successes(1) == 2; }));
  // Who hangs up in the middle of the answer is not charged.
  Client gone(server_.port());
  gone.send(post_request(kPath, "size 50000000"));
  ::usleep(50'000);
  gone.reset();
  EXPECT_TRUE(server_.eventually([&] { return server_.http().connections_count() == 1; }));
  EXPECT_EQ(server_.usage(1).successes(), 2U);
}

class ProtocolLimits : public ::testing::Test {
 protected:
  static TestServerOptions quick() {
    TestServerOptions options;
    options.http.header_timeout_ms = 200;
    options.http.idle_timeout_ms = 400;
    options.http.stall_timeout_ms = 300;
    options.http.connections_limit_count = 20;
    options.http.bodies_in_flight_bytes = 1'000'000;
    return options;
  }
  ProtocolLimits() : server_({make_api("a1", 1)}, quick()) {}
  TestServer server_;
};

TEST_F(ProtocolLimits, SlowHeadsTimeOut) {
  Client client(server_.port());
  client.send("GET /healthz HTTP/1.1\r\n");
  const Response response = client.receive();
  EXPECT_EQ(response.status, 408);
  EXPECT_EQ(response.header("Connection"), "close");
  // A byte now and then does not help.
  Client dripping(server_.port());
  const std::string text = "GET /healthz HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  for (const char byte : text) {
    if (!dripping.try_send(std::string_view(&byte, 1))) break;
    ::usleep(10'000);
  }
  EXPECT_EQ(dripping.receive().status, 408);
}

TEST_F(ProtocolLimits, SlowBodiesTimeOut) {
  Client client(server_.port());
  client.send(head_of(1'000) + "abc");
  EXPECT_EQ(client.receive().status, 408);
  Client chunks(server_.port());
  chunks.send(chunked_request("5\r\nab"));
  EXPECT_EQ(chunks.receive().status, 408);
  EXPECT_TRUE(server_.eventually([&] { return server_.plane().calls_count() == 0; }));
}

TEST_F(ProtocolLimits, IdleConnectionsEnd) {
  Client client(server_.port());
  EXPECT_EQ(client.ask(post_request(kPath, "x")).status, 200);
  EXPECT_TRUE(client.is_closed());
  Client silent(server_.port());
  EXPECT_TRUE(silent.is_closed());
  // Work is not idleness.
  Client busy(server_.port());
  EXPECT_EQ(busy.ask(post_request(kPath, "sleep 700")).status, 200);
}

TEST_F(ProtocolLimits, TheOldestIdleConnectionMakesRoom) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 25; ++i) {
    clients.push_back(std::make_unique<Client>(server_.port()));
    EXPECT_EQ(clients.back()->ask(post_request(kPath, "x")).status, 200) << i;
  }
  server_.on_loop([&] { EXPECT_LE(server_.http().connections_count(), 20U); });
  EXPECT_TRUE(clients.front()->is_closed());
}

TEST_F(ProtocolLimits, BodiesInFlightHaveALimit) {
  Client first(server_.port()), second(server_.port());
  first.send(head_of(900'000) + "a");
  ::usleep(20'000);
  const Response response = second.ask(head_of(200'000) + std::string(200'000, 'b'));
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.header("Retry-After"), "1");
  first.close();
  ::usleep(20'000);
  Client third(server_.port());
  EXPECT_EQ(third.ask(post_request(kPath, std::string(900'000, 'b'))).status, 200);
}

}  // namespace
}  // namespace noren::server::testing
