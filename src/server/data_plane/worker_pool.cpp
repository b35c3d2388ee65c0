// Which workers there are: started on demand or by plan, charged for their memory, evicted, replaced.
#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "server/data_plane/dispatch.h"

namespace noren::server {
namespace {

constexpr int kBatchLimitCount = 32;

}  // namespace

void Worker::on_ready(const LoadReport& report) { dispatch.on_ready(*this, report); }
void Worker::on_outcome(std::uint64_t call_id, CallOutcome outcome) {
  dispatch.on_outcome(*this, call_id, std::move(outcome));
}
void Worker::on_memory(std::int64_t private_bytes) { dispatch.on_memory(*this, private_bytes); }
void Worker::on_exit(const ExitReport& report) { dispatch.on_exit(*this, report); }

int Dispatch::workers_limit(const ApiState& api) const {
  if (api.is_dedicated()) return std::max(1, api.api->instances_count);
  return options_.workers_per_api_count > 0 ? options_.workers_per_api_count : options_.cpu_tokens_count;
}

void Dispatch::on_api_changed(ApiState& api) {
  tend(api);
  meter(api);
}

void Dispatch::tend(ApiState& api) {
  adopt_trial(api);
  if (api.charge_hash != api.api->package_hash) {
    api.charge_hash = api.api->package_hash;
    api.charge_bytes = 0;
    api.owed_restarts_count = 0;
  }
  if (api.is_dedicated()) return tend_dedicated(api);
  stop_waiting_for_room(api);  // of before a change of type
  api.owed_restarts_count = 0;
  // Per request: what is admitted is still served; after that nothing stays that is not wanted.
  if (!is_wanted(api) && api.under_way_count() == 0)
    for (const auto& worker : std::vector<std::shared_ptr<Worker>>(api.workers)) kill(*worker);
  if (!is_wanted(api)) return;
  const bool has_current = std::any_of(api.workers.begin(), api.workers.end(), [](const auto& worker) {
    return worker->is_live() && !worker->is_outdated();
  });
  const bool has_old = std::any_of(api.workers.begin(), api.workers.end(), [](const auto& worker) {
    return worker->is_live() && worker->is_outdated();
  });
  // A warm API stays warm: the new version is loaded beside the old one, which serves until then.
  if (has_old && !has_current && api.retry_at_ns == 0) start_worker(api);
}

/// Nobody could take the front of the queue: see whether another worker helps.
void Dispatch::want_worker(ApiState& api) {
  // Where nothing runs any more, who was admitted before is still owed an answer.
  if (api.is_dedicated() && !stopped_ && !is_wanted(api)) return tend_dedicated(api);
  if (api.is_dedicated() || stopped_ || api.AutoHook<StartRingTag>::is_linked()) return;
  StartInput input;
  input.limit_count = workers_limit(api);
  input.free_tokens_count = options_.cpu_tokens_count - tokens_used_count_;
  input.waiting_count = api.waiting_count;
  input.start_ns = api.start_ns;
  const MonotonicNs now = now_ns();
  for (const auto& worker : api.workers) {
    if (!worker->is_live()) continue;
    ++input.live_count;
    if (worker->phase != Worker::Phase::kReady) ++input.starting_count;
    // A run that goes on tells of its length before it ends.
    const std::int64_t runs_for_ns = worker->held_count > 0 ? now - worker->last_event_ns : 0;
    input.service_ns = std::max({input.service_ns, worker->service_ns(), runs_for_ns});
  }
  if (!should_start_worker(input) || now < api.retry_at_ns) return;
  const std::size_t starts_limit = static_cast<std::size_t>(std::max(2, options_.cpu_tokens_count));
  // A first worker is what an API needs, a further one is what it would like.
  const bool gives_way = input.live_count > 0 && keeps_room_free();
  if (gives_way || starting_count_ >= starts_limit || !make_room(expected_charge(api))) {
    start_ring_.push_back(api);
    return;
  }
  start_worker(api);
}

/// Tries the starts again that had no memory, or too many others beside them.
void Dispatch::retry_starts() {
  serve_room_ring();
  for (std::size_t left = start_ring_.size(); left > 0 && !start_ring_.empty(); --left) {
    ApiState& api = start_ring_.front();
    start_ring_.pop_front();
    serve(api);
  }
}

/// The most that was seen or foreseen: a worker grows to that again.
std::int64_t Dispatch::expected_charge(const ApiState& api) {
  const std::int64_t most_bytes = std::max(api.charge_bytes, api.api->memory_bytes);
  return most_bytes > 0 ? most_bytes : kWorkerBaseBytes;
}

/// An instance of a dedicated API is let in for what its import foresaw; what it grew to before is set aside
/// for it only as far as nobody has it.
std::int64_t Dispatch::first_charge(const ApiState& api) const {
  if (!api.is_dedicated()) return expected_charge(api);
  const std::int64_t least_bytes = dedicated_bytes(api);
  const std::int64_t free_bytes = options_.memory_budget_bytes - charged_bytes_;
  return std::clamp(expected_charge(api), least_bytes, std::max(least_bytes, free_bytes));
}

/// Evicts unused workers until the bytes fit. What does not fit although nothing else is there may try: an
/// API that is asked something is not kept waiting for memory that nobody has.
bool Dispatch::make_room(std::int64_t needed_bytes) {
  std::vector<std::int64_t> sizes;
  if (charged_bytes_ + needed_bytes > options_.memory_budget_bytes)
    for (const Worker& worker : idle_) sizes.push_back(worker.charged_bytes);
  const std::size_t count = eviction_count(sizes, charged_bytes_, needed_bytes, options_.memory_budget_bytes);
  for (std::size_t i = 0; i < count; ++i) kill(idle_.front());
  return charged_bytes_ + needed_bytes <= options_.memory_budget_bytes || charged_bytes_ == 0;
}

void Dispatch::charge(Worker& worker, std::int64_t bytes) {
  charged_bytes_ += bytes - worker.charged_bytes;
  if (worker.served_as.type == ExecutionType::kDedicated)
    dedicated_charged_bytes_ += bytes - worker.charged_bytes;
  worker.charged_bytes = bytes;
}

void Dispatch::start_worker(ApiState& api) {
  const auto worker = std::make_shared<Worker>(*this, api);
  worker->served_as = ServedAs::of(*api.api);
  worker->is_restart = api.owed_restarts_count > 0;
  if (worker->is_restart) --api.owed_restarts_count;
  api.workers.push_back(worker);
  ++workers_count_;
  ++starting_count_;
  fetch_package(*worker, first_charge(api));
}

void Dispatch::fetch_package(Worker& worker, std::int64_t charge_bytes) {
  worker.batch_limit_count = worker.served_as.batching ? kBatchLimitCount : 1;
  worker.started_ns = now_ns();
  charge(worker, charge_bytes);
  const std::string& hash = worker.served_as.package_hash;
  if (Package package = packages_[hash].lock()) return launch(worker, std::move(package));
  parts_.load_package(hash, [this, weak = worker.weak_from_this()](Result<Package> package) {
    const auto self = weak.lock();
    if (!self || self->phase != Worker::Phase::kFetching) return;
    if (package.ok()) {
      packages_[self->served_as.package_hash] = *package;
      return launch(*self, std::move(package).value());
    }
    log(LogLevel::kError, "package.not_read",
        {{"api", self->api.api->id}, {"reason", describe(package.error())}});
    on_exit(*self, ExitReport{ExitKind::kLoadFailed, 0, package.error().text});
  });
}

void Dispatch::launch(Worker& worker, Package package) {
  const ServedAs& as = worker.served_as;  // its settings may have changed while the package was fetched
  InstanceSpec spec;
  spec.api_id = worker.api.api->id;
  spec.package = std::move(package);
  spec.version_label = as.version_label;
  spec.memory_limit_bytes = options_.worker_memory_limit_bytes;
  spec.threads_count = as.threads_count;
  spec.device = as.on_gpu ? DeviceKind::kGpu : DeviceKind::kCpu;
  spec.batch_limit_count = worker.batch_limit_count;
  spec.keep_output_names = as.keep_output_names;
  spec.try_sample = worker.on_trial;
  spec.priority = worker.load_priority;
  worker.phase = Worker::Phase::kStarting;
  worker.instance = parts_.host.start(std::move(spec), worker);
  serve(worker.api);  // the first request may travel ahead
}

void Dispatch::on_ready(Worker& worker, const LoadReport& report) {
  if (worker.phase != Worker::Phase::kStarting) return;
  if (worker.on_trial) return on_trial_ready(worker, report);
  ApiState& api = worker.api;
  const MonotonicNs now = now_ns();
  worker.phase = Worker::Phase::kReady;
  worker.ready_ns = worker.last_event_ns = now;
  worker.batchable = report.batchable;
  worker.window_count = credit_window({0, worker.batchable, worker.batch_limit_count});
  --starting_count_;
  api.start_ns = now - worker.started_ns;
  if (!api.is_dedicated()) api.failures_count = 0;
  on_memory(worker, report.private_bytes);
  // A request that travelled ahead runs now, and its turn begins.
  if (worker.held_count > 0)
    worker.turn_started_ns = now;
  else
    go_idle(worker);
  serve(api);
  if (api.is_dedicated())
    tend(api);
  else if (!worker.is_outdated())
    drain_outdated(api);
  retry_starts();
}

void Dispatch::on_memory(Worker& worker, std::int64_t private_bytes) {
  ApiState& api = worker.api;
  if (worker.served_as.package_hash == api.charge_hash)
    api.charge_bytes = std::max(api.charge_bytes, private_bytes);
  if (private_bytes > worker.charged_bytes || worker.charged_bytes == kWorkerBaseBytes)
    charge(worker, private_bytes);
  static_cast<void>(make_room(0));
}

void Dispatch::go_idle(Worker& worker) {
  worker.idle_since_ns = now_ns();
  if (!is_wanted(worker.api) && worker.api.waiting.empty()) return drain(worker);
  if (worker.api.is_dedicated()) return;
  idle_.push_back(worker);
  wake_at(worker.idle_since_ns + options_.warm_age_ms * 1'000'000);
  if (!start_ring_.empty() || !room_ring_.empty()) retry_starts();
}

void Dispatch::drain(Worker& worker) {
  if (worker.phase != Worker::Phase::kReady) return kill(worker);
  if (worker.AutoHook<IdleTag>::is_linked()) worker.AutoHook<IdleTag>::unlink();
  worker.phase = Worker::Phase::kDraining;
  worker.instance->drain();
}

void Dispatch::drain_outdated(ApiState& api) {
  for (const auto& worker : std::vector<std::shared_ptr<Worker>>(api.workers))
    if (worker->is_live() && worker->is_outdated()) drain(*worker);
}

void Dispatch::kill(Worker& worker) {
  if (worker.phase == Worker::Phase::kDying || worker.phase == Worker::Phase::kGone) return;
  if (worker.AutoHook<IdleTag>::is_linked()) worker.AutoHook<IdleTag>::unlink();
  const bool was_starting =
      worker.phase == Worker::Phase::kFetching || worker.phase == Worker::Phase::kStarting;
  if (was_starting && !worker.on_trial) --starting_count_;
  worker.killed_by_us = true;
  // An unused one gives its memory back at once as far as the budget goes: its successor may start while it
  // ends.
  if (worker.held_count == 0) charge(worker, 0);
  const bool has_process = worker.instance != nullptr;
  worker.phase = Worker::Phase::kDying;
  if (has_process) return worker.instance->kill();
  on_exit(worker, ExitReport{ExitKind::kKilled, 0, {}});
}

void Dispatch::on_exit(Worker& worker, const ExitReport& report) {
  if (worker.phase == Worker::Phase::kGone) return;
  if (worker.on_trial) return on_trial_exit(worker, report);
  ApiState& api = worker.api;
  const bool was_starting =
      worker.phase == Worker::Phase::kFetching || worker.phase == Worker::Phase::kStarting;
  const bool was_expected =
      worker.killed_by_us || worker.phase == Worker::Phase::kDraining || report.kind == ExitKind::kHostLost;
  if (was_starting) --starting_count_;
  // It ran, and nobody meant it to stop: not even where it was killed for a request that never ended.
  const bool is_lost =
      worker.phase != Worker::Phase::kDraining && (worker.ready_ns != 0 || worker.is_restart);
  if (is_lost && api.is_dedicated()) ++api.owed_restarts_count;
  worker.phase = Worker::Phase::kGone;
  if (worker.AutoHook<IdleTag>::is_linked()) worker.AutoHook<IdleTag>::unlink();
  release_tokens(worker);
  charge(worker, 0);
  const std::shared_ptr<Worker> keep = worker.shared_from_this();
  bury(worker);
  if (!was_expected) {
    log(LogLevel::kWarning, "worker.lost",
        {{"api", api.api->id}, {"signal", report.signal}, {"reason", report.reason}});
    const bool was_stable = !was_starting && now_ns() - worker.ready_ns > kStableMs * 1'000'000;
    if (was_stable) api.failures_count = 0;
    // One that died of what a caller sent is no failure of the model's: its successor starts at once.
    const bool is_callers_fault = report.while_reading && !was_starting && !worker.held.empty();
    if (was_starting || (api.is_dedicated() && !is_callers_fault)) start_failed(api, report.reason);
  }
  settle_lost_calls(worker, report);
  if (!stopped_) {
    const bool gives_up =
        api.is_dedicated() ? api.failures_count >= kRestartsCount : was_starting && api.retry_at_ns != 0;
    if (gives_up) fail_waiting(api);
    tend(api);
    serve_room_ring();
    serve(api);
    grant_tokens();
    retry_starts();
  }
}

/// Out of the API's list now, destroyed when no callback of it can be on the stack any more.
void Dispatch::bury(Worker& worker) {
  const auto is_it = [&worker](const auto& each) { return each.get() == &worker; };
  graveyard_.push_back(worker.shared_from_this());
  std::size_t found_count = std::erase_if(worker.api.workers, is_it);
  if (worker.api.trial != nullptr) found_count += std::erase_if(worker.api.trial->workers, is_it);
  CHECK(found_count == 1);
  --workers_count_;
  wake_at(now_ns());
}

void Dispatch::start_failed(ApiState& api, const std::string& reason) {
  ++api.failures_count;
  api.failure_reason = reason.empty() ? "the worker died" : reason;
  const std::int64_t delay_ms = restart_delay_ms(api.failures_count);
  if (delay_ms == 0) return;
  api.retry_at_ns = now_ns() + delay_ms * 1'000'000;
  if (!api.AutoHook<ActiveTag>::is_linked()) active_.push_back(api);
  wake_at(api.retry_at_ns);
}

/// The model can't be started: nobody in its queue is served by waiting.
void Dispatch::fail_waiting(ApiState& api) {
  const bool somebody_serves = !stopped_ && std::any_of(api.workers.begin(), api.workers.end(),
                                                        [](const auto& worker) { return worker->is_live(); });
  while (!somebody_serves && !api.waiting.empty()) {
    Call& call = api.waiting.front();
    unlink_waiting(call);
    CallResult result;
    result.refused = Refused{Refusal::kInternal, InstanceState::kRetrying, 0, 0, {}};
    finish(call, std::move(result));
  }
}

OverloadInput Dispatch::overload_input(const ApiState& api) const {
  return {static_cast<std::uint32_t>(api.under_way_count()), api.api->queue_limit_count,
          static_cast<std::uint32_t>(std::max(1, workers_limit(api))), api.api->deadline_ms};
}

void Dispatch::stop(ApiState& api) {
  end_trial(api, make_error(Code::kUnavailable, "the server is stopping"));
  fail_waiting(api);
  for (const auto& worker : std::vector<std::shared_ptr<Worker>>(api.workers)) kill(*worker);
  fail_waiting(api);
}

}  // namespace noren::server
