// server/http/listener/listener.h - One listening address: accepts, speaks HTTP/1.1 (with or without TLS),
// calls a handler. Made by http_server.h, everything on the event loop. It knows HTTP and limits; it never
// looks at what a request means.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "server/event_loop/event_loop.h"
#include "server/http/listener/exchange.h"

namespace noren::server {

struct ListenerOptions {
  std::string host = "127.0.0.1";    ///< an address, or a name that means one here
  std::uint16_t port = 0;            ///< 0: any free one
  std::string tls_certificate_file;  ///< both or neither
  std::string tls_key_file;
  std::string common_header_lines;  ///< in every answer (CORS), each with its line end
  std::size_t connections_limit_count = limits::kConnectionsCount;
  std::int64_t header_timeout_ms = limits::kHttpHeaderTimeoutMs;
  std::int64_t idle_timeout_ms = limits::kHttpIdleTimeoutMs;
  std::int64_t stall_timeout_ms = limits::kHttpBodyStallTimeoutMs;
  std::int64_t linger_timeout_ms = limits::kHttpLingerTimeoutMs;
};

class ListenerCore;

class Listener {
 public:
  /// Listens at once; `handler`, `loop` and `clock` outlive it. The error says what is wrong with address or
  /// files.
  static Result<std::unique_ptr<Listener>> open(EventLoop& loop, Clock& clock, ListenerOptions options,
                                                RequestHandler& handler);
  /// Closes every connection; handlers that wait are destroyed.
  ~Listener();

  std::uint16_t port() const;
  bool uses_tls() const;
  std::size_t connections_count() const;
  /// Accepts no more, closes idle connections, and every other one after its answer. `done` is called, once,
  /// when none is left.
  void drain(std::function<void()> done);

 private:
  explicit Listener(std::shared_ptr<ListenerCore> core);
  std::shared_ptr<ListenerCore> core_;
};

}  // namespace noren::server
