// A new version of an API beside the one that serves: loaded in the background, tried with a sample request,
// and kept warm until the catalog names it. Then it serves at once, and the old one drains.
#include <algorithm>

#include "base/log.h"
#include "server/data_plane/dispatch.h"

namespace noren::server {
namespace {

std::string mebibytes(std::int64_t bytes) {
  constexpr auto kMiB = static_cast<std::int64_t>(limits::kMiB);
  return std::to_string((std::max<std::int64_t>(bytes, 0) + kMiB - 1) / kMiB) + " MiB";
}

Error error_of(const ExitReport& report) {
  switch (report.kind) {
    case ExitKind::kLoadFailed: return make_error(Code::kFailedPrecondition, report.reason);
    case ExitKind::kHostLost: return make_error(Code::kUnavailable, "it was interrupted: try again");
    default: return make_error(Code::kFailedPrecondition, "its worker died: " + report.reason);
  }
}

}  // namespace

/// As many as serve now, so that the switch costs no capacity.
std::size_t Dispatch::trial_workers_count(const ApiState& api) const {
  if (!is_wanted(api)) return 1;
  if (api.is_dedicated()) return static_cast<std::size_t>(workers_limit(api));
  const auto ready = std::ranges::count_if(
      api.workers, [](const auto& worker) { return worker->phase == Worker::Phase::kReady; });
  return static_cast<std::size_t>(std::max<std::ptrdiff_t>(1, ready));
}

/// `needed_bytes` of the new version, beside what all others take.
Error Dispatch::no_room_for(const ApiState& api, std::int64_t needed_bytes, std::int64_t others_bytes) const {
  const std::string off_helps = api.is_dedicated() && is_wanted(api) ? ", or switch the API off first" : "";
  return make_error(Code::kExhausted,
                    "both versions must fit into memory while one replaces the other: the new one needs " +
                        mebibytes(needed_bytes) + ", and of the memory budget of " +
                        mebibytes(options_.memory_budget_bytes) + " only " +
                        mebibytes(options_.memory_budget_bytes - others_bytes) +
                        " are free: raise --memory-budget" + off_helps);
}

void Dispatch::try_version(ApiState& api, VersionToTry version, std::function<void(Status)> done) {
  if (stopped_) return done(make_error(Code::kUnavailable, "the server is stopping"));
  if (api.trial != nullptr)
    return done(make_error(Code::kFailedPrecondition,
                           "another version of this API is being tried: wait until it serves"));
  const std::int64_t each_bytes = version.memory_bytes > 0 ? version.memory_bytes : expected_charge(api);
  std::size_t count = trial_workers_count(api);
  // Of a per-request API one worker is enough where there is no room for more: others follow on demand.
  if (!api.is_dedicated() && !make_room(each_bytes * static_cast<std::int64_t>(count))) count = 1;
  const std::int64_t needed_bytes = each_bytes * static_cast<std::int64_t>(count);
  if (!make_room(needed_bytes)) return done(no_room_for(api, needed_bytes, charged_bytes_));
  api.trial = std::make_unique<VersionTrial>();
  api.trial->version = std::move(version);
  api.trial->done = std::move(done);
  api.trial->deadline_ns = now_ns() + limits::kVersionTrialMs * 1'000'000;
  api.trial->look_at_ns = now_ns() + limits::kIdleTrialMs * 1'000'000;
  for (std::size_t i = 0; i < count; ++i) api.trial->workers.push_back(trial_worker(api, Priority::kIdle));
  if (!api.AutoHook<ActiveTag>::is_linked()) active_.push_back(api);
  wake_at(api.trial->look_at_ns);
  // A package that can't be read ends the trial from inside.
  for (const auto& worker : std::vector<std::shared_ptr<Worker>>(api.trial->workers))
    if (worker->phase == Worker::Phase::kFetching) fetch_package(*worker, each_bytes);
}

std::shared_ptr<Worker> Dispatch::trial_worker(ApiState& api, Priority priority) {
  auto worker = std::make_shared<Worker>(*this, api);
  worker->on_trial = true;
  worker->served_as = ServedAs::of(*api.api);
  worker->served_as.version_label = api.trial->version.version_label;
  worker->served_as.package_hash = api.trial->version.package_hash;
  // The threads of a model that has several are made while it loads, and would keep its low priority.
  if (worker->served_as.threads_count <= 1) worker->load_priority = priority;
  ++workers_count_;
  return worker;
}

/// Since the last look.
bool Dispatch::is_starved(Worker& worker) {
  std::optional<std::int64_t> core_time_ns = worker.instance->core_time_ns();
  if (core_time_ns) *core_time_ns -= std::exchange(worker.core_time_ns, *core_time_ns);
  return got_too_little(core_time_ns, limits::kIdleTrialMs * 1'000'000);
}

/// What loads, and the busy cores left it too little, begins anew with a share of its own, and has all the
/// time again. What had enough goes on, and is looked at again.
void Dispatch::hurry_trial(ApiState& api) {
  const MonotonicNs now = now_ns();
  std::vector<std::pair<std::shared_ptr<Worker>, std::int64_t>> begun;
  bool some_go_on = false;
  for (auto& worker : api.trial->workers) {
    if (worker->phase != Worker::Phase::kStarting || worker->load_priority != Priority::kIdle) continue;
    if (!is_starved(*worker)) {
      some_go_on = true;
      continue;
    }
    const std::shared_ptr<Worker> late = std::exchange(worker, trial_worker(api, Priority::kLow));
    begun.emplace_back(worker, late->charged_bytes);
    api.workers.push_back(late);  // it dies among the API's other workers
    kill(*late);
  }
  api.trial->look_at_ns = some_go_on ? now + limits::kIdleTrialMs * 1'000'000 : 0;
  if (!begun.empty()) api.trial->deadline_ns = now + limits::kVersionTrialMs * 1'000'000;
  for (const auto& [worker, charge_bytes] : begun)
    if (worker->phase == Worker::Phase::kFetching) fetch_package(*worker, charge_bytes);
}

void Dispatch::on_trial_ready(Worker& worker, const LoadReport& report) {
  ApiState& api = worker.api;
  const MonotonicNs now = now_ns();
  worker.phase = Worker::Phase::kReady;
  worker.ready_ns = worker.last_event_ns = now;
  worker.batchable = report.batchable;
  worker.window_count = credit_window({0, worker.batchable, worker.batch_limit_count});
  on_memory(worker, report.private_bytes);
  if (charged_bytes_ > options_.memory_budget_bytes && workers_count_ > api.trial->workers.size())
    return end_trial(api, no_room_for(api, worker.charged_bytes, charged_bytes_ - worker.charged_bytes));
  const bool all_are_ready = std::ranges::all_of(
      api.trial->workers, [](const auto& each) { return each->phase == Worker::Phase::kReady; });
  if (all_are_ready) answer_trial(api, Ok{});
}

void Dispatch::on_trial_exit(Worker& worker, const ExitReport& report) {
  ApiState& api = worker.api;
  worker.phase = Worker::Phase::kGone;
  charge(worker, 0);
  const std::shared_ptr<Worker> keep = worker.shared_from_this();
  // One that stood ready is not missed: what is still there serves, and others are started.
  const bool is_missed = api.trial != nullptr && api.trial->done &&
                         std::ranges::find(api.trial->workers, keep) != api.trial->workers.end();
  bury(worker);
  if (is_missed) end_trial(api, error_of(report));
  if (!stopped_) retry_starts();
}

void Dispatch::answer_trial(ApiState& api, const Status& status) {
  if (api.trial == nullptr) return;
  if (const auto done = std::exchange(api.trial->done, nullptr)) done(status);
}

void Dispatch::end_trial(ApiState& api, const Error& why) {
  if (api.trial == nullptr) return;
  const std::unique_ptr<VersionTrial> trial = std::move(api.trial);
  log(LogLevel::kInfo, "version.given_up",
      {{"api", trial->version.api_id}, {"version", trial->version.version_label}, {"reason", why.text}});
  // They die among the API's other workers.
  api.workers.insert(api.workers.end(), trial->workers.begin(), trial->workers.end());
  for (const auto& worker : trial->workers) kill(*worker);
  if (trial->done) trial->done(why);
}

/// The catalog names the version that was tried: its workers serve from here on, and no call goes to the old
/// ones any more.
void Dispatch::adopt_trial(ApiState& api) {
  if (api.trial == nullptr || api.trial->version.version_label != api.api->version_label ||
      api.trial->version.package_hash != api.api->package_hash)
    return;
  const std::unique_ptr<VersionTrial> trial = std::move(api.trial);
  api.failures_count = 0;
  api.retry_at_ns = 0;
  api.charge_hash = api.api->package_hash;
  api.charge_bytes = 0;
  for (const auto& worker : trial->workers) {
    worker->on_trial = false;
    api.workers.push_back(worker);
    api.charge_bytes = std::max(api.charge_bytes, worker->charged_bytes);
    if (worker->phase == Worker::Phase::kReady)
      go_idle(*worker);
    else
      ++starting_count_;
  }
  if (!api.is_dedicated() && !trial->workers.empty()) drain_outdated(api);
  serve(api);
}

MonotonicNs Dispatch::watch_trial(ApiState& api, MonotonicNs now) {
  if (api.trial == nullptr || !api.trial->done) return 0;
  if (api.trial->look_at_ns != 0 && api.trial->look_at_ns <= now) hurry_trial(api);
  if (api.trial == nullptr) return 0;
  if (now < api.trial->deadline_ns)
    return api.trial->look_at_ns == 0 ? api.trial->deadline_ns
                                      : std::min(api.trial->look_at_ns, api.trial->deadline_ns);
  end_trial(api,
            make_error(Code::kDeadlineExceeded, "it did not load and answer a sample request within " +
                                                    std::to_string(limits::kVersionTrialMs / 1'000) + " s"));
  return 0;
}

}  // namespace noren::server
