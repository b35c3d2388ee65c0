#include "server/data_plane/dispatch.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace noren::server {
namespace {

constexpr std::size_t kSpareCallsCount = 1024;
/// A request that lost this many workers, whoever is to blame, is not tried again.
constexpr int kMovesCount = 4;
constexpr int kBlamesCount = 2;
constexpr std::int64_t kMeasuredCount = 64;
constexpr std::string_view kUndecodable = "inputs: a file in the request could not be decoded";

CallResult refused_with(Refusal refusal) {
  CallResult result;
  result.refused = Refused{refusal, InstanceState::kStopped, 0, 0, {}};
  return result;
}

}  // namespace

Dispatch::Dispatch(DataPlaneParts& parts, const DataPlaneOptions& options, InstanceMeter& meter)
    : parts_(parts), options_(options), meter_(meter), alarm_(parts.loop, [this] { tick(); }) {}

Dispatch::~Dispatch() = default;

std::optional<CallResult> Dispatch::submit(ApiState& api, RequestBody body, CallListener& listener) {
  if (stopped_) return refused_with(Refusal::kInternal);
  const MonotonicNs now = now_ns();
  if (api.under_way_count() == 0) api.guard.on_busy(now);
  Call& call = make_call(api, std::move(body), listener);
  call.deadline_ns = now + api.api->deadline_ms * 1'000'000;
  api.waiting.push_back(call);
  ++api.waiting_count;
  if (!api.AutoHook<ActiveTag>::is_linked()) active_.push_back(api);
  wake_at(call.deadline_ns);
  serve(api);
  return std::nullopt;
}

Call& Dispatch::make_call(ApiState& api, RequestBody body, CallListener& listener) {
  std::unique_ptr<Call> call;
  if (spare_calls_.empty()) {
    call = std::make_unique<Call>();
  } else {
    call = std::move(spare_calls_.back());
    spare_calls_.pop_back();
  }
  call->id = next_call_id_++;
  call->api = &api;
  call->body = std::move(body);
  call->listener = &listener;
  CHECK(listener.call_ == nullptr);
  listener.call_ = call.get();
  ++calls_count_;
  return *call.release();  // owned by the queue it is in, see recycle()
}

void Dispatch::recycle(Call& call) {
  CHECK(!call.is_linked());
  --calls_count_;
  std::unique_ptr<Call> owned(&call);
  if (spare_calls_.size() >= kSpareCallsCount) return;
  *owned = Call{};
  spare_calls_.push_back(std::move(owned));
}

void Dispatch::finish(Call& call, CallResult result) {
  CallListener* const listener = call.listener;
  recycle(call);
  if (listener == nullptr) return;
  listener->call_ = nullptr;
  listener->on_call_done(std::move(result));
}

void Dispatch::abandon(CallListener& listener) {
  Call* const call = std::exchange(listener.call_, nullptr);
  if (call == nullptr) return;
  call->listener = nullptr;
  if (call->worker == nullptr) {
    unlink_waiting(*call);
    return recycle(*call);
  }
  call->abandoned_ns = now_ns();
  if (call->worker->instance) call->worker->instance->cancel(call->id);
  wake_at(call->abandoned_ns + kAbandonedGraceMs * 1'000'000);
}

void Dispatch::forget_calls(ApiState& api) {
  const auto forget = [this](CallQueue& queue) {
    while (!queue.empty()) {
      Call& call = queue.front();
      queue.pop_front();
      if (call.listener != nullptr) call.listener->call_ = nullptr;
      recycle(call);
    }
  };
  forget(api.waiting);
  for (const auto& worker : api.workers) forget(worker->held);
}

void Dispatch::unlink_waiting(Call& call) {
  call.unlink();
  --call.api->waiting_count;
}

void Dispatch::unlink_held(Worker& worker, Call& call) {
  call.unlink();
  call.worker = nullptr;
  --worker.held_count;
  --worker.api.held_count;
}

void Dispatch::queue_again(Call& call) {
  call.api->waiting.push_front(call);
  ++call.api->waiting_count;
}

void Dispatch::serve(ApiState& api) {
  while (!api.waiting.empty()) {
    Call& call = api.waiting.front();
    Worker* const worker = choose_worker(api, call);
    if (worker == nullptr) return want_worker(api);
    hand_over(*worker, call);
  }
  if (api.AutoHook<TokenRingTag>::is_linked()) api.AutoHook<TokenRingTag>::unlink();
}

bool Dispatch::can_take(const Worker& worker, const Call& call) const {
  if (worker.phase == Worker::Phase::kReady)
    return !worker.exclusive && worker.held_count < (call.suspect ? 1 : worker.window_count);
  // One request may travel ahead of the model: it runs as soon as that is loaded.
  return worker.phase == Worker::Phase::kStarting && worker.held_count == 0;
}

Worker* Dispatch::choose_worker(ApiState& api, const Call& call) {
  const auto is_current = [](const auto& worker) { return worker->is_live() && !worker->is_outdated(); };
  const bool current_serves = std::ranges::any_of(api.workers, [&](const auto& worker) {
    return worker->phase == Worker::Phase::kReady && is_current(worker);
  });
  const MonotonicNs now = now_ns();
  Worker* best = nullptr;
  bool token_is_missing = false;
  for (const auto& worker : api.workers) {
    if (!can_take(*worker, call) || (current_serves && worker->is_outdated())) continue;
    if (!may_run(*worker, now)) {
      token_is_missing = true;
      continue;
    }
    const bool better = best == nullptr ||
                        (worker->phase == Worker::Phase::kReady && best->phase != worker->phase) ||
                        (worker->phase == best->phase && worker->held_count < best->held_count);
    if (better) best = worker.get();
  }
  if (best == nullptr && token_is_missing) wait_for_token(api, now);
  return best;
}

void Dispatch::hand_over(Worker& worker, Call& call) {
  unlink_waiting(call);
  worker.held.push_back(call);
  call.worker = &worker;
  call.sent_ns = now_ns();
  ++worker.held_count;
  ++worker.api.held_count;
  if (worker.held_count == 1) worker.last_event_ns = call.sent_ns;
  if (call.suspect) worker.exclusive = true;
  if (worker.AutoHook<IdleTag>::is_linked()) worker.AutoHook<IdleTag>::unlink();
  if (worker.tokens_count == 0) take_tokens(worker);
  worker.instance->call(call.id, call.body, call.deadline_ns);
}

void Dispatch::on_outcome(Worker& worker, std::uint64_t call_id, CallOutcome outcome) {
  const auto found = std::find_if(worker.held.begin(), worker.held.end(),
                                  [call_id](const Call& call) { return call.id == call_id; });
  ApiState& api = worker.api;
  if (found == worker.held.end()) {
    log(LogLevel::kError, "dispatch.unknown_outcome", {{"api", api.api->id}, {"call", call_id}});
    return kill(worker);
  }
  Call& call = *found;
  const MonotonicNs now = now_ns();
  measure(worker, now);
  unlink_held(worker, call);
  worker.exclusive = false;
  if (outcome.code == OutcomeCode::kNotRun && call.listener != nullptr && ++call.moved_count < kMovesCount) {
    queue_again(call);
    return after_outcome(worker);
  }
  api.guard.on_completed(now, outcome.run_ns / std::max<std::uint32_t>(1, outcome.batch_size));
  // What answers is no part of a series of failures, whatever killed its predecessors.
  if (outcome.code == OutcomeCode::kOk) api.failures_count = 0;
  // The worker gets its next request before the answer goes out, which takes longer.
  after_outcome(worker);
  if (call.listener == nullptr) return recycle(call);
  finish(call, result_of(api, std::move(outcome)));
}

void Dispatch::after_outcome(Worker& worker) {
  serve(worker.api);
  if (worker.held_count > 0) return;
  release_tokens(worker);
  if (worker.phase == Worker::Phase::kReady) go_idle(worker);
  grant_tokens();
}

void Dispatch::measure(Worker& worker, MonotonicNs now) {
  worker.busy_ns += now - worker.last_event_ns;
  worker.last_event_ns = now;
  if (++worker.completed_count >= kMeasuredCount) {  // what is long ago counts less
    worker.completed_count /= 2;
    worker.busy_ns /= 2;
  }
  worker.api.service_ns = worker.service_ns();
  worker.window_count = credit_window({worker.service_ns(), worker.batchable, worker.batch_limit_count});
}

CallResult Dispatch::result_of(const ApiState& api, CallOutcome outcome) const {
  switch (outcome.code) {
    case OutcomeCode::kOk: return {std::nullopt, std::move(outcome.bytes)};
    case OutcomeCode::kTooLarge: return refused_with(Refusal::kBodyTooLarge);
    case OutcomeCode::kInvalidRequest: {
      CallResult result = refused_with(Refusal::kInvalidRequest);
      outcome.bytes.resize(std::min(outcome.bytes.size(), limits::kDetailBytes));
      result.refused->detail = std::move(outcome.bytes);
      return result;
    }
    case OutcomeCode::kInternal:
    case OutcomeCode::kNotRun: break;
  }
  outcome.bytes.resize(std::min(outcome.bytes.size(), limits::kDetailBytes));
  log(LogLevel::kWarning, "dispatch.failed", {{"api", api.api->id}, {"reason", outcome.bytes}});
  return refused_with(Refusal::kInternal);
}

/// The worker is gone: what it held is tried again where that may help.
void Dispatch::settle_lost_calls(Worker& worker, const ExitReport& report) {
  while (!worker.held.empty()) {
    Call& call = worker.held.back();  // from the back, so that the queue keeps their order
    unlink_held(worker, call);
    lose(call, report, worker);
  }
}

void Dispatch::lose(Call& call, const ExitReport& report, const Worker& worker) {
  const bool is_blamed =
      report.kind == ExitKind::kCrashed || (report.kind == ExitKind::kKilled && !worker.killed_by_us);
  if (is_blamed) ++call.blamed_count;
  if (is_blamed) call.suspect = true;
  ++call.moved_count;
  if (call.overdue) return finish(call, refused_with(Refusal::kTimeout));
  if (call.listener == nullptr) return recycle(call);
  if (stopped_) return finish(call, refused_with(Refusal::kInternal));
  if (call.blamed_count < kBlamesCount && call.moved_count < kMovesCount) return queue_again(call);
  // A suspect runs alone: where its worker died of reading, it is this request that can't be read. A worker
  // may lie about that; then its own callers get the wrong one of two errors.
  CallResult result = refused_with(report.while_reading ? Refusal::kInvalidRequest : Refusal::kInternal);
  if (report.while_reading) result.refused->detail = kUndecodable;
  finish(call, std::move(result));
}

int Dispatch::tokens_needed(const Worker& worker) const {
  return std::clamp(worker.api.api->threads_count, 1, options_.cpu_tokens_count);
}

bool Dispatch::may_run(const Worker& worker, MonotonicNs now) const {
  if (worker.tokens_count == 0)
    return tokens_used_count_ + tokens_needed(worker) <= options_.cpu_tokens_count || overtakes(worker, now);
  const bool others_wait = !token_ring_.empty() && tokens_used_count_ >= options_.cpu_tokens_count;
  return !others_wait || now < worker.turn_started_ns + kTurnMs * 1'000'000;
}

/// Whether the worker runs without a token of its own, so that long runs of others don't hold its API up.
bool Dispatch::overtakes(const Worker& worker, MonotonicNs now) const {
  const ApiState& api = worker.api;
  if (!api.AutoHook<TokenRingTag>::is_linked()) return false;
  if (std::ranges::any_of(api.workers, [](const auto& each) { return each->tokens_count > 0; })) return false;
  return may_overtake({now - api.token_wait_ns, api.service_ns, tokens_needed(worker), tokens_used_count_,
                       options_.cpu_tokens_count});
}

void Dispatch::wait_for_token(ApiState& api, MonotonicNs now) {
  if (api.AutoHook<TokenRingTag>::is_linked()) return;
  token_ring_.push_back(api);
  api.token_wait_ns = now;
  wake_at(now + overtake_wait_ns(api.service_ns));
}

void Dispatch::take_tokens(Worker& worker) {
  worker.tokens_count = tokens_needed(worker);
  tokens_used_count_ += worker.tokens_count;
  worker.turn_started_ns = worker.api.token_wait_ns = now_ns();
}

void Dispatch::release_tokens(Worker& worker) {
  tokens_used_count_ -= worker.tokens_count;
  worker.tokens_count = 0;
}

/// Serves the APIs that wait for tokens, in turn, while there are some.
void Dispatch::grant_tokens() {
  for (std::size_t left = token_ring_.size(); left > 0 && !token_ring_.empty(); --left) {
    if (tokens_used_count_ >= options_.cpu_tokens_count) return;
    ApiState& api = token_ring_.front();
    token_ring_.pop_front();
    const MonotonicNs waits_since_ns = api.token_wait_ns;
    serve(api);
    // Where it got none, it has waited all the time.
    const bool got_one =
        std::ranges::any_of(api.workers, [](const auto& each) { return each->tokens_count > 0; });
    if (!got_one) api.token_wait_ns = waits_since_ns;
  }
}

}  // namespace noren::server
