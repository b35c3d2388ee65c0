#include "server/http/inference.h"

#include <utility>

#include "server/http/answers.h"

namespace noren::server {
namespace {

/// co_await on admission: at once, but for callers that wait for the last free requests.
class AdmitWait final : private AdmissionWaiter {
 public:
  AdmitWait(Exchange& exchange, DataPlane& plane, const CallerHead& head)
      : exchange_(exchange), plane_(plane), head_(head) {}
  AdmitWait(const AdmitWait&) = delete;
  AdmitWait& operator=(const AdmitWait&) = delete;
  ~AdmitWait() override { plane_.stop_waiting(*this); }

  bool await_ready() {
    result_ = plane_.admit(head_, *this);
    return !std::holds_alternative<Waiting>(result_);
  }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  Admitted await_resume() { return std::move(result_); }

 private:
  void on_admitted(Admitted result) override {
    result_ = std::move(result);
    exchange_.resume();
  }

  Exchange& exchange_;
  DataPlane& plane_;
  CallerHead head_;
  Admitted result_ = Waiting{};
};

/// co_await on a worker's answer. Destroyed while it waits (the caller hung up), it abandons the call.
class CallWait final : private CallListener {
 public:
  CallWait(Exchange& exchange, DataPlane& plane, const Permit& permit, RequestBody body)
      : exchange_(exchange), plane_(plane), permit_(permit), body_(std::move(body)) {}
  CallWait(const CallWait&) = delete;
  CallWait& operator=(const CallWait&) = delete;
  ~CallWait() override { plane_.abandon(*this); }

  bool await_ready() {
    if (auto refused = plane_.call(permit_, std::move(body_), *this)) result_ = std::move(refused);
    return result_.has_value();
  }
  void await_suspend(std::coroutine_handle<>) noexcept { suspended_ = true; }
  CallResult await_resume() { return *std::move(result_); }

 private:
  void on_call_done(CallResult result) override {
    result_ = std::move(result);
    if (suspended_) exchange_.resume();
  }

  Exchange& exchange_;
  DataPlane& plane_;
  const Permit& permit_;
  RequestBody body_;
  std::optional<CallResult> result_;
  bool suspended_ = false;
};

UsageClass usage_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kInvalidRequest: return UsageClass::kInvalid;
    case Refusal::kInternal: return UsageClass::kInternal;
    case Refusal::kTimeout: return UsageClass::kTimeout;
    default: return UsageClass::kRefused;
  }
}

Refused refused_body(BodyFailure failure, const PublishedApi& api) {
  Refused refused;
  if (failure == BodyFailure::kTooLarge) {
    refused.refusal = Refusal::kBodyTooLarge;
    refused.detail = "at most " + std::to_string(api.body_limit_bytes) + " bytes are taken";
  } else {
    refused.refusal = Refusal::kTooManyRequests;
    refused.retry_after_s = 1;
  }
  return refused;
}

Refused unknown_encoding() {
  Refused refused;
  refused.refusal = Refusal::kInvalidRequest;
  refused.detail = "Content-Encoding: only gzip is taken";
  return refused;
}

Answer wrong_path(WrongPath wrong) {
  const bool is_dedicated = wrong.right_type == ExecutionType::kDedicated;
  std::string text = is_dedicated ? "This API is of the type dedicated instance: its path is "
                                  : "This API is of the type per request: its path is ";
  return text_answer(404, text.append(inference_path_pattern(wrong.right_type)));
}

Answer ok_answer(std::string body) {
  Answer answer;
  answer.body = std::move(body);
  return answer;
}

}  // namespace

RequestTask serve_inference(Exchange& exchange, InferenceRoute route, InferenceParts parts) {
  const RequestHead& head = exchange.head();
  const ExecutionType type = route.type;
  const bool encoding_is_known = head.content_encoding != ContentEncoding::kOther;
  AdmitWait admission(exchange, parts.plane, {route.api_id, head.api_key, type, exchange.remote_address()});
  Admitted admitted = co_await admission;
  if (const auto* wrong = std::get_if<WrongPath>(&admitted)) {
    co_await exchange.send(wrong_path(*wrong));
    co_return;
  }
  std::optional<Refused> refused;
  if (auto* refusal = std::get_if<Refused>(&admitted)) {
    if (refusal->answer_at_ns != 0) co_await exchange.pause_until(refusal->answer_at_ns);
    co_await exchange.send(refusal_answer(*refusal, type, exchange.request_id()));
    co_return;
  }
  Permit permit = std::get<Permit>(std::move(admitted));
  if (!encoding_is_known) refused = unknown_encoding();
  BodyResult received;
  if (!refused) received = co_await exchange.receive_body({permit.api().body_limit_bytes, &parts.bodies});
  if (const auto* failure = std::get_if<BodyFailure>(&received))
    refused = refused_body(*failure, permit.api());
  CallResult result;
  if (!refused) {
    CallWait call(exchange, parts.plane, permit, std::get<RequestBody>(std::move(received)));
    result = co_await call;
    refused = std::move(result.refused);
  }
  if (refused) {
    permit.settle(usage_of(refused->refusal));
    Answer answer = refusal_answer(*refused, type, exchange.request_id());
    answer.drop_body_limit_bytes = permit.api().body_limit_bytes;
    co_await exchange.send(std::move(answer));
    co_return;
  }
  permit.count_answered();
  const bool was_sent = co_await exchange.send(ok_answer(std::move(result.answer)));
  permit.settle(was_sent ? UsageClass::kSuccess : UsageClass::kAbandoned);
}

RequestTask serve_preflight(Exchange& exchange) {
  Answer answer;
  answer.status = 204;
  answer.content_type = {};
  answer.header_lines =
      "Access-Control-Allow-Methods: POST, OPTIONS\r\n"
      "Access-Control-Allow-Headers: content-type, x-api-key\r\n"
      "Access-Control-Max-Age: 86400\r\n";
  co_await exchange.send(std::move(answer));
}

}  // namespace noren::server
