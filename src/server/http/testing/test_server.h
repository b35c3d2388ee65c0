// server/http/testing/test_server.h - For tests: the real listener, pipeline and data plane on a free
// loopback port. Its workers do what a request's body says. The loop runs on a thread of its own; tests speak
// through raw sockets.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/http/http_server.h"

namespace noren::server::testing {

inline constexpr const char* kKey = "6626b3e4-1316-4b1a-b10b-000000000001";

/// Workers run one request at a time and understand as a body:
///   ok            {"version":…}-like answer that repeats the body
///   sleep MS      the same, later          hang      never answers
///   die           the process ends         dieonce: only while dies_once is set; unreadable: of reading it
///   invalid TEXT, toolarge, internal, notrun: the outcomes of these names
///   size N        an answer of N bytes
class ScriptedHost final : public InstanceHost {
 public:
  explicit ScriptedHost(EventLoop& loop) : loop_(loop) {}
  std::unique_ptr<Instance> start(InstanceSpec spec, InstanceListener& listener) override;
  void inspect(InspectSpec, std::function<void(Result<Inspection>)>) override {}
  MonotonicNs last_probe_ns() const override { return 0; }
  std::string gpu_unavailable_reason() const override { return {}; }

  // Looked at and set on the loop only.
  int started_count = 0;
  int live_count = 0;
  int killed_count = 0;
  std::int64_t start_ms = 0;
  std::int64_t private_bytes = 8 << 20;
  std::string load_failure;
  bool dies_once = false;           ///< the next "dieonce" dies, further ones are answered
  std::vector<std::string> bodies;  ///< in the order in which they ran
  std::vector<InstanceSpec> specs;

 private:
  friend class ScriptedInstance;
  EventLoop& loop_;
};

class MemoryQuota final : public QuotaSource {
 public:
  explicit MemoryQuota(EventLoop& loop) : loop_(loop) {}
  void lease(const std::string& api_id, std::uint32_t wanted,
             std::function<void(Result<QuotaGrant>)> done) override;
  void give_back(const std::string& api_id, std::uint32_t count) override { left[api_id] += count; }
  std::map<std::string, std::uint32_t> left;  ///< on the loop only
  bool broken = false;

 private:
  EventLoop& loop_;
};

class EchoManagement final : public ManagementService {
 public:
  void handle(ManagementRequest request, std::function<void(ManagementResponse)> reply) override;
  /// Takes "right" for a token, and files at …/files.
  void check_head(const ManagementRequest& head, std::function<void(HeadVerdict)> reply) override;
};

struct TestServerOptions {
  HttpServerOptions http;
  DataPlaneOptions plane;
  std::uint32_t free_requests_count = 500;
};

class TestServer {
 public:
  explicit TestServer(std::vector<PublishedApi> apis = {}, TestServerOptions options = {});
  ~TestServer();

  std::uint16_t port() const { return http_->port(); }
  std::uint16_t admin_port() const { return http_->admin_port(); }
  /// Runs `work` on the loop and waits for it.
  void on_loop(const std::function<void()>& work);
  void apply(std::vector<PublishedApi> apis);
  /// Asks on the loop until it is so, for 10 s at most; whether it came to be.
  bool eventually(const std::function<bool()>& condition);
  /// This API's counts of all days.
  UsageRow usage(std::uint32_t api_number);
  std::uint64_t usage_successes(std::uint32_t api_number);  ///< on the loop

  ScriptedHost& host() { return *host_; }
  MemoryQuota& quota() { return *quota_; }
  DataPlane& plane() { return *plane_; }
  HttpServer& http() { return *http_; }
  std::string not_ready_reason;

 private:
  std::string folder_;
  EventLoop loop_;
  std::unique_ptr<ScriptedHost> host_;
  std::unique_ptr<MemoryQuota> quota_;
  EchoManagement management_;
  std::unique_ptr<UsageCounters> usage_;
  std::unique_ptr<DataPlane> plane_;
  std::unique_ptr<HttpServer> http_;
  std::thread thread_;
};
/// A published API with the key kKey; settings as in real life.
PublishedApi make_api(const std::string& id, std::uint32_t number,
                      ExecutionType type = ExecutionType::kPerRequest);
DigestKey test_digest_key();

/// A blocking client socket; everything has a timeout of 10 s.
class Client {
 public:
  explicit Client(std::uint16_t port);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view text);
  /// False where the other side is gone.
  bool try_send(std::string_view text);
  struct Response {
    int status = 0;
    std::string head;
    std::string body;
    std::string header(const std::string& name) const;
  };
  /// Status 0: the connection ended before a whole answer.
  Response receive();
  Response receive_head();  ///< leaves what follows for the next one
  Response ask(std::string_view text) {
    send(text);
    return receive();
  }
  bool is_closed();  ///< waits for the end
  void shutdown_send();
  void close();
  void reset();  ///< closes with a reset

 private:
  bool fill();
  int fd_ = -1;
  std::string buffer_;
};

std::string post_request(const std::string& path, const std::string& body, const std::string& headers = {});
std::string serverless_path(const std::string& id);
std::string dedicated_path(const std::string& id);
}  // namespace noren::server::testing
