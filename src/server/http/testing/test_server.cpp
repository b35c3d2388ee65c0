#include "server/http/testing/test_server.h"

#include <future>

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/check.h"

namespace noren::server::testing {

class ScriptedInstance final : public Instance {
 public:
  ScriptedInstance(ScriptedHost& host, EventLoop& loop, InstanceListener& listener, InstanceSpec spec)
      : host_(host),
        loop_(loop),
        listener_(listener),
        spec_(std::move(spec)),
        alive_(std::make_shared<bool>(true)) {
    timer_ = std::make_unique<Alarm>(loop, [this] { on_timer(); });
    if (host_.start_ms > 0)
      timer_->set(system_clock().monotonic_ns() + host_.start_ms * 1'000'000);
    else
      post([this] { become_ready(); });
  }
  ~ScriptedInstance() override {
    if (!is_gone_) --host_.live_count;
  }

  void call(std::uint64_t id, const RequestBody& body, MonotonicNs) override {
    CHECK(!is_gone_);
    std::string text = body.inline_bytes;
    if (body.memfd.valid()) {
      const auto mapping = Mapping::map(body.memfd.get());
      CHECK(mapping.ok() && mapping->bytes().size() == body.size_bytes);
      text = "memfd of " + std::to_string(body.size_bytes) + " from " +
             std::string(reinterpret_cast<const char*>(mapping->bytes().data()), 8);
    }
    if (body.encoding == RequestBody::Encoding::kGzip) text = "gzip " + text;
    queue_.emplace_back(id, text);
    if (is_ready_) post([this] { run(); });
  }
  void cancel(std::uint64_t id) override {
    for (std::size_t i = is_running_ ? 1 : 0; i < queue_.size(); ++i) {
      if (queue_[i].first != id) continue;
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
      return post([this, id] { listener_.on_outcome(id, {OutcomeCode::kNotRun, {}, 0, 1}); });
    }
  }
  void drain() override {
    is_draining_ = true;
    if (queue_.empty()) post([this] { exit({ExitKind::kStopped, 0, {}}); });
  }
  void kill() override {
    ++host_.killed_count;
    post([this] { exit({ExitKind::kKilled, 9, {}}); });
  }

 private:
  void post(std::function<void()> work) {
    loop_.post([work = std::move(work), alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) work();
    });
  }
  void on_timer() { is_ready_ ? finish() : become_ready(); }
  void become_ready() {
    if (is_gone_) return;
    if (!host_.load_failure.empty()) return exit({ExitKind::kLoadFailed, 0, host_.load_failure});
    is_ready_ = true;
    listener_.on_ready({1'000'000, host_.private_bytes, false});
    if (!queue_.empty()) run();
  }
  void run() {
    if (is_running_ || is_gone_ || queue_.empty()) return;
    is_running_ = true;
    const std::string& text = queue_.front().second;
    host_.bodies.push_back(text);
    if (text.starts_with("hang")) return;
    const bool dies = text == "die" || (text == "dieonce" && std::exchange(host_.dies_once, false));
    if (dies) return exit({ExitKind::kCrashed, 11, "segmentation fault"});
    if (text == "unreadable") return exit({ExitKind::kCrashed, 11, "died of a request", true});
    if (!text.starts_with("sleep ")) return finish();
    timer_->set(system_clock().monotonic_ns() + std::stoll(text.substr(6)) * 1'000'000);
  }
  void finish() {
    if (is_gone_ || queue_.empty()) return;
    const auto [id, text] = queue_.front();
    queue_.erase(queue_.begin());
    is_running_ = false;
    CallOutcome outcome{OutcomeCode::kOk,
                        "{\"ok\":\"" + text + "\",\"version\":\"" + spec_.version_label + "\"}", 0, 1};
    if (text.starts_with("invalid ")) outcome = {OutcomeCode::kInvalidRequest, text.substr(8), 0, 1};
    if (text == "toolarge") outcome = {OutcomeCode::kTooLarge, {}, 0, 1};
    if (text == "internal") outcome = {OutcomeCode::kInternal, "secret detail", 0, 1};
    if (text == "notrun") outcome = {OutcomeCode::kNotRun, {}, 0, 1};
    if (text.starts_with("size ")) outcome.bytes.assign(std::stoul(text.substr(5)), 'x');
    listener_.on_outcome(id, std::move(outcome));
    if (is_draining_ && queue_.empty()) return exit({ExitKind::kStopped, 0, {}});
    if (!queue_.empty()) post([this] { run(); });
  }
  void exit(const ExitReport& report) {
    if (is_gone_) return;
    is_gone_ = true;
    --host_.live_count;
    listener_.on_exit(report);
  }

  ScriptedHost& host_;
  EventLoop& loop_;
  InstanceListener& listener_;
  InstanceSpec spec_;
  std::unique_ptr<Alarm> timer_;
  std::vector<std::pair<std::uint64_t, std::string>> queue_;
  std::shared_ptr<bool> alive_;
  bool is_ready_ = false;
  bool is_running_ = false;
  bool is_draining_ = false;
  bool is_gone_ = false;
};

std::unique_ptr<Instance> ScriptedHost::start(InstanceSpec spec, InstanceListener& listener) {
  ++started_count;
  ++live_count;
  specs.push_back(spec);
  return std::make_unique<ScriptedInstance>(*this, loop_, listener, std::move(spec));
}

void MemoryQuota::lease(const std::string& api_id, std::uint32_t wanted,
                        std::function<void(Result<QuotaGrant>)> done) {
  loop_.post([this, api_id, wanted, done = std::move(done)] {
    if (broken) return done(make_error(Code::kUnavailable, "no store"));
    const std::uint32_t count = std::min(wanted, left[api_id]);
    left[api_id] -= count;
    done(QuotaGrant{count});
  });
}

void EchoManagement::handle(ManagementRequest request, std::function<void(ManagementResponse)> reply) {
  std::thread([request = std::make_shared<ManagementRequest>(std::move(request)), reply = std::move(reply)] {
    ManagementResponse response;
    response.status = 201;
    response.body = request->method + " " + request->path + "?" + request->query + " [" +
                    std::string(request->bearer_token.reveal()) + "] " + request->idempotency_key + " " +
                    request->content_type + " " + request->remote_address + " " +
                    (request->body_memfd.valid() ? "memfd " : request->body) +
                    std::to_string(request->body_size_bytes);
    response.headers = {{"Location", "/x"}, {"X-Bad", "a\r\nb"}};
    reply(std::move(response));
  }).detach();
}

void EchoManagement::check_head(const ManagementRequest& head, std::function<void(HeadVerdict)> reply) {
  const bool takes_files = head.path.ends_with("/files");
  if (head.bearer_token.reveal() == "right")
    return reply({takes_files ? limits::kModelFileBytes : limits::kBodyInlineBytes, std::nullopt});
  ManagementResponse refusal;
  refusal.status = 401;
  reply({0, refusal});
}

DigestKey test_digest_key() {
  DigestKey key{};
  key.fill(7);
  return key;
}

PublishedApi make_api(const std::string& id, std::uint32_t number, ExecutionType type) {
  PublishedApi api;
  api.id = id;
  api.number = number;
  api.type = type;
  api.owner_plan = Plan::kPaid;
  api.keys = {{"k", digest_of(kKey, test_digest_key())}};
  api.version_label = "20200707_051647035778";
  api.package_hash = "hash-" + id;
  api.body_limit_bytes = type == ExecutionType::kPerRequest ? limits::kRequestBodyPerRequestBytes
                                                            : limits::kRequestBodyDedicatedBytes;
  api.deadline_ms = limits::kInferenceDeadlineMs;
  api.queue_limit_count = limits::kQueuePerApiCount;
  return api;
}

TestServer::TestServer(std::vector<PublishedApi> apis, TestServerOptions options) {
  char folder[] = "/tmp/noren-http-XXXXXX";
  CHECK(::mkdtemp(folder) != nullptr);
  folder_ = folder;
  host_ = std::make_unique<ScriptedHost>(loop_);
  quota_ = std::make_unique<MemoryQuota>(loop_);
  for (const PublishedApi& api : apis) quota_->left[api.id] = options.free_requests_count;
  auto usage = UsageCounters::open(folder_ + "/usage.counters", system_clock());
  CHECK(usage.ok());
  usage_ = std::move(usage).value();
  options.plane.key_digest_key = test_digest_key();
  const PackageLoader loader = [](const std::string&, const std::function<void(Result<Package>)>& done) {
    done(Package(std::make_shared<const UniqueFd>()));
  };
  plane_ = std::make_unique<DataPlane>(
      DataPlaneParts{loop_, system_clock(), *host_, *quota_, *usage_, loader, {}}, options.plane);
  options.http.listen.port = 0;
  auto http = HttpServer::open(
      {loop_, system_clock(), *plane_, management_, [this] { return not_ready_reason; }}, options.http);
  CHECK(http.ok());
  http_ = std::move(http).value();
  plane_->apply(std::make_shared<const Catalog>(std::move(apis)));
  thread_ = std::thread([this] { loop_.run(); });
}

TestServer::~TestServer() {
  on_loop([this] {
    http_.reset();
    plane_.reset();
  });
  loop_.stop();
  thread_.join();
  usage_.reset();
  ::unlink((folder_ + "/usage.counters").c_str());
  ::rmdir(folder_.c_str());
}

void TestServer::on_loop(const std::function<void()>& work) {
  std::promise<void> done;
  loop_.post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void TestServer::apply(std::vector<PublishedApi> apis) {
  on_loop([&] { plane_->apply(std::make_shared<const Catalog>(std::move(apis))); });
}

bool TestServer::eventually(const std::function<bool()>& condition) {
  const MonotonicNs end = system_clock().monotonic_ns() + 10'000'000'000;
  while (system_clock().monotonic_ns() < end) {
    bool is_so = false;
    on_loop([&] { is_so = condition(); });
    if (is_so) return true;
    ::usleep(2'000);
  }
  return false;
}

UsageRow TestServer::usage(std::uint32_t api_number) {
  UsageRow sum;
  on_loop([&] {
    for (const UsageRow& row : usage_->all_rows())
      for (std::size_t i = 0; i < kUsageClassesCount; ++i)
        if (row.api_number == api_number) sum.counts[i] += row.counts[i];
  });
  return sum;
}

std::uint64_t TestServer::usage_successes(std::uint32_t api_number) {
  std::uint64_t sum = 0;
  for (const UsageRow& row : usage_->all_rows())
    if (row.api_number == api_number) sum += row.successes();
  return sum;
}

Client::Client(std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout{10, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

Client::~Client() { close(); }

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void Client::shutdown_send() { ::shutdown(fd_, SHUT_WR); }

bool Client::try_send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void Client::send(std::string_view text) { CHECK(try_send(text)); }

bool Client::fill() {
  char bytes[65536];
  const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
  if (count > 0) buffer_.append(bytes, static_cast<std::size_t>(count));
  return count > 0;
}

Client::Response Client::receive_head() {
  Response response;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return {};
  response.head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  response.status = std::stoi(response.head.substr(9, 3));
  return response;
}

Client::Response Client::receive() {
  Response response = receive_head();
  const std::string length = response.header("Content-Length");
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  while (buffer_.size() < size)
    if (!fill()) return {};
  response.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return response;
}

std::string Client::Response::header(const std::string& name) const {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

bool Client::is_closed() {
  char byte = 0;
  const ssize_t count = buffer_.empty() ? ::recv(fd_, &byte, 1, 0) : 1;
  return count == 0 || (count < 0 && errno != EAGAIN);
}

std::string post_request(const std::string& path, const std::string& body, const std::string& headers) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nx-api-key: " + kKey + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string serverless_path(const std::string& id) {
  return "/v1/serverless/classifiers/" + id + "/inference";
}
std::string dedicated_path(const std::string& id) { return "/v1/classifiers/" + id + "/inference"; }

}  // namespace noren::server::testing
