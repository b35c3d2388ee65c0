#include "server/http/management_shell.h"

#include <functional>

#include <fmt/format.h>

#include "base/limits.h"
#include "server/http/answers.h"

namespace noren::server {
namespace {

/// co_await on something that answers once, on any thread. Destroyed while it waits, it forgets the answer.
template <typename T>
class ReplyWait {
 public:
  using Start = std::function<void(std::function<void(T)> reply)>;
  ReplyWait(Exchange& exchange, EventLoop& loop, Start start)
      : state_(std::make_shared<State>(State{&exchange, std::nullopt, false})),
        loop_(loop),
        start_(std::move(start)) {}
  ReplyWait(const ReplyWait&) = delete;
  ReplyWait& operator=(const ReplyWait&) = delete;
  ~ReplyWait() { state_->exchange = nullptr; }

  bool await_ready() {
    start_([state = state_, &loop = loop_](T reply) {
      auto shared = std::make_shared<T>(std::move(reply));
      loop.post([state, shared] {
        if (state->exchange == nullptr) return;
        state->reply = std::move(*shared);
        state->exchange->resume();
      });
    });
    return false;
  }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  T await_resume() { return *std::move(state_->reply); }

 private:
  struct State {  // only looked at on the loop
    Exchange* exchange;
    std::optional<T> reply;
    bool done;
  };
  std::shared_ptr<State> state_;
  EventLoop& loop_;
  Start start_;
};

/// In the handler's frame, which ends with the answer or when the caller hangs up.
struct TellsAtItsEnd {
  explicit TellsAtItsEnd(std::shared_ptr<HangUp> whom) : hang_up(std::move(whom)) {}
  TellsAtItsEnd(const TellsAtItsEnd&) = delete;
  TellsAtItsEnd& operator=(const TellsAtItsEnd&) = delete;
  ~TellsAtItsEnd() { hang_up->tell(); }
  const std::shared_ptr<HangUp> hang_up;
};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    decoded += is_escape ? static_cast<char>(16 * hex_value(text[i + 1]) + hex_value(text[i + 2])) : text[i];
    if (is_escape) i += 2;
  }
  return decoded;
}

Secret bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return {};
  for (std::size_t i = 0; i < kScheme.size(); ++i)
    if ((authorization[i] | 0x20) != kScheme[i] && authorization[i] != kScheme[i]) return {};
  std::string_view token = authorization.substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  return Secret(std::string(token));
}

ManagementRequest request_of(const Exchange& exchange) {
  const RequestHead& head = exchange.head();
  ManagementRequest request;
  request.method = head.method_text;
  request.path = percent_decoded(head.path);
  request.query = head.query;
  request.bearer_token = bearer_token(head.authorization);
  request.idempotency_key = head.idempotency_key;
  request.content_type = head.content_type;
  request.remote_address = format_ip_address(exchange.remote_address());
  request.request_id = exchange.request_id();
  return request;
}

/// Names and values of headers come from the service, which may repeat what a caller said: no line breaks.
Answer answer_of(ManagementResponse response) {
  Answer answer;
  answer.status = response.status;
  answer.content_type = response.content_type;
  answer.body = std::move(response.body);
  for (const auto& [name, value] : response.headers) {
    if (name.find_first_of("\r\n:") != std::string::npos || value.find_first_of("\r\n") != std::string::npos)
      continue;
    answer.header_lines.append(name).append(": ").append(value).append("\r\n");
  }
  return answer;
}

Error refused_body(BodyFailure failure, std::uint64_t limit_bytes) {
  return failure == BodyFailure::kTooLarge
             ? make_error(Code::kTooLarge,
                          fmt::format("the body is larger than it may be here ({} bytes)", limit_bytes))
             : make_error(Code::kExhausted, "too many uploads at the same time: try again later");
}

}  // namespace

RequestTask serve_management(Exchange& exchange, ManagementShellParts parts) {
  ManagementRequest request = request_of(exchange);
  const bool may_be_large =
      exchange.head().is_chunked || exchange.head().content_length_bytes > limits::kBodyInlineBytes;
  BodyRules rules{limits::kBodyInlineBytes, &parts.uploads};
  if (may_be_large) {
    // Nobody without a right to it makes the server hold gigabytes.
    ReplyWait<HeadVerdict> check(exchange, parts.loop,
                                 [&parts, &request](std::function<void(HeadVerdict)> reply) {
                                   parts.service.check_head(request, std::move(reply));
                                 });
    HeadVerdict verdict = co_await check;
    rules.limit_bytes = verdict.body_limit_bytes;
    if (verdict.refusal) {
      const std::string content_type = std::exchange(verdict.refusal->content_type, {});
      Answer answer = answer_of(*std::move(verdict.refusal));
      answer.content_type = content_type;
      co_await exchange.send(std::move(answer));
      co_return;
    }
  }
  BodyResult received = co_await exchange.receive_body(rules);
  if (const auto* failure = std::get_if<BodyFailure>(&received)) {
    Answer answer = answer_of(problem(refused_body(*failure, rules.limit_bytes), request.request_id));
    answer.content_type = "application/problem+json";
    co_await exchange.send(std::move(answer));
    co_return;
  }
  auto& body = std::get<RequestBody>(received);
  request.body = std::move(body.inline_bytes);
  request.body_memfd = std::move(body.memfd);
  request.body_size_bytes = body.size_bytes;
  request.hang_up = std::make_shared<HangUp>();
  const TellsAtItsEnd tells{request.hang_up};
  ReplyWait<ManagementResponse> call(exchange, parts.loop,
                                     [&parts, &request](std::function<void(ManagementResponse)> reply) {
                                       parts.service.handle(std::move(request), std::move(reply));
                                     });
  ManagementResponse response = co_await call;
  const std::string content_type = std::exchange(response.content_type, {});
  Answer answer = answer_of(std::move(response));
  answer.content_type = content_type;
  co_await exchange.send(std::move(answer));
}

}  // namespace noren::server
