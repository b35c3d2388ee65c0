#include "server/http/http_server.h"

#include "base/log.h"
#include "server/http/answers.h"
#include "server/http/inference.h"
#include "server/http/management_shell.h"
#include "server/http/routes.h"

namespace noren::server {
namespace {

constexpr std::string_view kCorsLines =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Expose-Headers: x-request-id, retry-after\r\n";

RequestTask serve_answer(Exchange& exchange, Answer answer) { co_await exchange.send(std::move(answer)); }

Answer not_allowed(std::string_view methods) {
  Answer answer = text_answer(405, "Method not allowed");
  answer.header_lines.append("Allow: ").append(methods).append("\r\n");
  return answer;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpServerParts parts, HttpServerOptions options)
      : parts_(std::move(parts)),
        options_(std::move(options)),
        drain_alarm_(parts_.loop, [this] { stop_waiting(); }) {
    bodies_.limit_bytes = options_.bodies_in_flight_bytes;
    uploads_.limit_bytes = options_.uploads_in_flight_bytes;
  }

  Status open() {
    callers_.serves_management = !options_.admin_listen;
    ASSIGN_OR_RETURN(listener_,
                     Listener::open(parts_.loop, parts_.clock, listener_options(options_.listen), callers_));
    if (!options_.admin_listen) return Ok{};
    operators_.serves_inference = false;
    ASSIGN_OR_RETURN(admin_listener_, Listener::open(parts_.loop, parts_.clock,
                                                     listener_options(*options_.admin_listen), operators_));
    return Ok{};
  }

  const Listener& listener() const { return *listener_; }
  const Listener& admin_listener() const { return admin_listener_ ? *admin_listener_ : *listener_; }
  std::size_t connections_count() const {
    return listener_->connections_count() + (admin_listener_ ? admin_listener_->connections_count() : 0);
  }

  void drain(std::int64_t deadline_ms, std::function<void()> done) {
    drained_ = std::move(done);
    draining_count_ = admin_listener_ ? 2 : 1;
    drain_deadline_ns_ = parts_.clock.monotonic_ns() + deadline_ms * 1'000'000;
    drain_alarm_.set(drain_deadline_ns_);
    const auto one_is_done = [this] {
      if (--draining_count_ == 0) finish_drain();
    };
    listener_->drain(one_is_done);
    if (admin_listener_) admin_listener_->drain(one_is_done);
  }

 private:
  /// One listener's table of paths. Everything that is not in it is told in plain text.
  class Table final : public RequestHandler {
   public:
    explicit Table(Impl& server) : server_(server) {}
    RequestTask handle(Exchange& exchange) override {
      const Method method = exchange.head().method;
      const Route route = route_of(exchange.head().path);
      if (const auto* inference = std::get_if<InferenceRoute>(&route);
          inference != nullptr && serves_inference) {
        if (method == Method::kPost)
          return serve_inference(exchange, *inference, {server_.parts_.plane, server_.bodies_});
        if (method == Method::kOptions && server_.options_.cors) return serve_preflight(exchange);
        return serve_answer(exchange, not_allowed("POST, OPTIONS"));
      }
      if (std::holds_alternative<ManagementRoute>(route) && serves_management)
        return serve_management(exchange, {server_.parts_.loop, server_.parts_.management, server_.uploads_});
      const bool is_health = std::holds_alternative<HealthRoute>(route);
      if (is_health || std::holds_alternative<ReadyRoute>(route)) {
        if (method != Method::kGet && method != Method::kHead)
          return serve_answer(exchange, not_allowed("GET, HEAD"));
        return serve_answer(exchange, is_health ? text_answer(200, "ok") : server_.readiness());
      }
      return serve_answer(exchange, text_answer(404, "Not found: no API has this URL"));
    }
    bool serves_inference = true;
    bool serves_management = true;

   private:
    Impl& server_;
  };

  ListenerOptions listener_options(const ListenAddress& address) const {
    ListenerOptions options;
    options.host = address.host;
    options.port = address.port;
    options.tls_certificate_file = options_.tls_certificate_file;
    options.tls_key_file = options_.tls_key_file;
    if (options_.cors) options.common_header_lines = kCorsLines;
    options.connections_limit_count = options_.connections_limit_count;
    options.header_timeout_ms = options_.header_timeout_ms;
    options.idle_timeout_ms = options_.idle_timeout_ms;
    options.stall_timeout_ms = options_.stall_timeout_ms;
    return options;
  }

  Answer readiness() const {
    const std::string reason = parts_.not_ready_reason ? parts_.not_ready_reason() : std::string();
    return reason.empty() ? text_answer(200, "ready") : text_answer(503, "not ready: " + reason);
  }

  void stop_waiting() {
    if (!drained_) return;
    if (parts_.clock.monotonic_ns() < drain_deadline_ns_) return drain_alarm_.set(drain_deadline_ns_);
    log(LogLevel::kWarning, "http.drain_cut", {{"calls", parts_.plane.calls_count()}});
    parts_.plane.kill_all();
    finish_drain();
  }

  void finish_drain() {
    if (const auto done = std::exchange(drained_, nullptr)) done();
  }

  HttpServerParts parts_;
  HttpServerOptions options_;
  BodyBudget bodies_;
  BodyBudget uploads_;
  Table callers_{*this};
  Table operators_{*this};
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Listener> admin_listener_;
  Alarm drain_alarm_;
  MonotonicNs drain_deadline_ns_ = 0;
  int draining_count_ = 0;
  std::function<void()> drained_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::open(HttpServerParts parts, HttpServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(parts), std::move(options));
  TRY(impl->open());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;
std::uint16_t HttpServer::port() const { return impl_->listener().port(); }
std::uint16_t HttpServer::admin_port() const { return impl_->admin_listener().port(); }
std::size_t HttpServer::connections_count() const { return impl_->connections_count(); }
void HttpServer::drain(std::int64_t deadline_ms, std::function<void()> done) {
  impl_->drain(deadline_ms, std::move(done));
}

}  // namespace noren::server
