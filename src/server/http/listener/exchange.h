// server/http/listener/exchange.h - One request and its answer, as a handler sees them: no socket, no HTTP
// library. The listener calls RequestHandler::handle() on the event loop for each request head; the handler
// is a coroutine that may wait for the body, for whatever it needs, and for its answer to be sent. When the
// caller hangs up while it waits, the coroutine is destroyed where it stands, and what it holds (a permit, a
// call) is given back by destructors.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/limits.h"
#include "domain/ip_network.h"
#include "server/http/listener/request_task.h"
#include "server/instances/instance.h"

namespace noren::server {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
enum class ContentEncoding : std::uint8_t { kIdentity, kGzip, kOther };

/// The head of a request. The views are good until the handler first waits, asks for the body or answers.
struct RequestHead {
  Method method = Method::kOther;
  std::string_view method_text;
  std::string_view path;   ///< without query, undecoded
  std::string_view query;  ///< behind the '?'
  std::string_view api_key;
  std::string_view authorization;
  std::string_view idempotency_key;
  std::string_view content_type;
  ContentEncoding content_encoding = ContentEncoding::kIdentity;
  bool keep_alive = false;
  bool is_http_1_1 = false;
  bool expects_continue = false;
  bool is_chunked = false;
  std::uint64_t content_length_bytes = 0;

  bool has_body() const { return is_chunked || content_length_bytes > 0; }
};

struct Answer {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  std::string header_lines;  ///< further ones, each with its line end
  /// How much of a body that was not asked for is read and dropped, so that the caller sees the answer.
  std::uint64_t drop_body_limit_bytes = limits::kRequestBodyPerRequestBytes;
};

/// Bodies in flight, counted against a common limit: one for inference, one for uploads.
struct BodyBudget {
  std::uint64_t limit_bytes = limits::kBodiesInFlightBytes;
  std::uint64_t used_bytes = 0;
};

struct BodyRules {
  std::uint64_t limit_bytes = 0;
  BodyBudget* budget = nullptr;
};

enum class BodyFailure : std::uint8_t {
  kTooLarge,  ///< over the rules' limit
  kNoRoom,    ///< too many bodies are in flight
};
using BodyResult = std::variant<RequestBody, BodyFailure>;

class Exchange {
 public:
  virtual const RequestHead& head() const = 0;
  virtual std::string_view request_id() const = 0;  ///< UUID version 4
  virtual const IpAddress& remote_address() const = 0;

  /// co_await exchange.receive_body(rules): the body, or why not. The declared length is looked at before a
  /// byte is read.
  auto receive_body(const BodyRules& rules);
  /// co_await exchange.send(answer): whether the whole answer was handed to the network. Once for each
  /// request.
  auto send(Answer answer);

  /// co_await exchange.pause_until(when). A pause ends no earlier than those that began before it.
  auto pause_until(MonotonicNs when_ns);

  /// Goes on with the handler where it waits for something that the exchange knows nothing of.
  virtual void resume() = 0;

 protected:
  virtual ~Exchange() = default;
  /// False: resume() follows when the result is there.
  virtual bool begin_body(const BodyRules& rules) = 0;
  virtual BodyResult take_body() = 0;
  virtual void begin_pause(MonotonicNs until_ns) = 0;
  virtual bool begin_send(Answer answer) = 0;
  virtual bool was_sent() const = 0;
};

inline auto Exchange::receive_body(const BodyRules& rules) {
  struct Wait {
    Exchange& exchange;
    BodyRules rules;
    bool await_ready() { return exchange.begin_body(rules); }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    BodyResult await_resume() { return exchange.take_body(); }
  };
  return Wait{*this, rules};
}

inline auto Exchange::pause_until(MonotonicNs when_ns) {
  struct Wait {
    Exchange& exchange;
    MonotonicNs when_ns;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const { exchange.begin_pause(when_ns); }
    void await_resume() const noexcept {}
  };
  return Wait{*this, when_ns};
}

inline auto Exchange::send(Answer answer) {
  struct Wait {
    Exchange& exchange;
    Answer answer;
    bool await_ready() { return exchange.begin_send(std::move(answer)); }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    bool await_resume() const { return exchange.was_sent(); }
  };
  return Wait{*this, std::move(answer)};
}

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual RequestTask handle(Exchange& exchange) = 0;
};

}  // namespace noren::server
