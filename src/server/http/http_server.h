// server/http/http_server.h - The server's HTTP side: listeners, the table of paths, and what stands behind
// each path. Made by app; everything on the event loop. It knows no SQL, no model and no schedule.
//
//   EventLoop loop;
//   LocalHost host(loop, …);                                     // InstanceHost
//   auto usage = UsageCounters::open(data + "/usage.counters", system_clock());
//   DataPlane plane({loop, system_clock(), host, quota, **usage,
//                    [&](const std::string& hash, auto done) { control.fetch_blob(hash, std::move(done)); },
//                    // done on the loop
//                    [&](auto rows, auto done) { control.store_usage(std::move(rows), std::move(done)); }},
//                   {.key_digest_key = keyring.digest_key(), .cpu_tokens_count = 8, .memory_budget_bytes =
//                   …});
//   HttpServerOptions options;
//   options.listen = {"127.0.0.1", 8080};
//   auto http = HttpServer::open({loop, system_clock(), plane, management, [&] { return reason_not_ready();
//   }}, options); plane.apply(catalog);                                        // later again: loop.post([=]
//   { plane.apply(newer); }) loop.run();
//   // SIGTERM: loop.post([&] { http->drain(limits::kStopDeadlineMs, [&] { loop.stop(); }); });
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/data_plane/data_plane.h"
#include "server/http/listener/listener.h"
#include "server/management/management.h"

namespace noren::server {

struct ListenAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one
};

struct HttpServerOptions {
  ListenAddress listen;
  std::optional<ListenAddress> admin_listen;  ///< the management API leaves `listen` then
  std::string tls_certificate_file;           ///< both or neither; read again when they change
  std::string tls_key_file;
  bool cors = true;
  std::uint64_t bodies_in_flight_bytes = limits::kBodiesInFlightBytes;
  std::uint64_t uploads_in_flight_bytes = limits::kModelFileBytes;
  std::size_t connections_limit_count = limits::kConnectionsCount;
  std::int64_t header_timeout_ms = limits::kHttpHeaderTimeoutMs;
  std::int64_t idle_timeout_ms = limits::kHttpIdleTimeoutMs;
  std::int64_t stall_timeout_ms = limits::kHttpBodyStallTimeoutMs;
};

struct HttpServerParts {
  EventLoop& loop;
  Clock& clock;
  DataPlane& plane;
  ManagementService& management;
  std::function<std::string()> not_ready_reason;  ///< "" when ready
};

class HttpServer {
 public:
  /// Listens at once. The error says what is wrong with an address or a file.
  static Result<std::unique_ptr<HttpServer>> open(HttpServerParts parts, HttpServerOptions options);
  ~HttpServer();

  std::uint16_t port() const;
  std::uint16_t admin_port() const;  ///< port() where there is no listener of its own
  std::size_t connections_count() const;
  /// Accepts no more, lets requests in flight finish, and kills what is left after `deadline_ms`. Then
  /// `done`, once.
  void drain(std::int64_t deadline_ms, std::function<void()> done);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace noren::server
