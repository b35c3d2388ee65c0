// Dispatch: which worker runs which request, and which workers there are. Event loop only.
//
// A request waits in its API's queue until a worker of the API has credit for it and a CPU token to run with.
// Tokens go round the APIs: a worker keeps its token while it has work, for one turn at most when others
// wait.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/instance_plan.h"
#include "server/data_plane/api_state.h"
#include "server/data_plane/worker.h"

namespace noren::server {

class Dispatch {
 public:
  Dispatch(DataPlaneParts& parts, const DataPlaneOptions& options, InstanceMeter& meter);
  ~Dispatch();

  std::optional<CallResult> submit(ApiState& api, RequestBody body, CallListener& listener);
  void abandon(CallListener& listener);

  /// Settings, version, ON/OFF or schedule of the API changed.
  void on_api_changed(ApiState& api);
  void try_version(ApiState& api, VersionToTry version, std::function<void(Status)> done);
  /// What is tried goes; whoever waits for it is told `why`. Harmless where nothing is tried.
  void end_trial(ApiState& api, const Error& why);
  /// Why calls of the API can't be taken now; nothing: they can.
  std::optional<Refused> refusal_of(const ApiState& api, MonotonicNs now_ns) const;
  OverloadInput overload_input(const ApiState& api) const;
  ApiStatus status_of(const ApiState& api) const;
  /// Until now its instances were as the meter knows them, from now on as they are.
  void meter(const ApiState& api);
  /// What failed is tried again at once.
  static void forget_failures(ApiState& api);
  /// Nothing is under way, and no worker is left: the state may go.
  static bool is_finished(const ApiState& api) {
    return api.workers.empty() && api.under_way_count() == 0 && api.trial == nullptr;
  }

  /// Nothing is taken any more; stop() then ends what there is, one API at a time.
  void begin_stop() { stopped_ = true; }
  void stop(ApiState& api);
  /// At the end of the program: nobody is told any more.
  void forget_calls(ApiState& api);
  std::size_t calls_count() const { return calls_count_; }
  std::size_t workers_count() const { return workers_count_; }
  void wake_at(MonotonicNs when_ns) { alarm_.set(when_ns); }

  // Of workers.
  void on_ready(Worker& worker, const LoadReport& report);
  void on_outcome(Worker& worker, std::uint64_t call_id, CallOutcome outcome);
  void on_memory(Worker& worker, std::int64_t private_bytes);
  void on_exit(Worker& worker, const ExitReport& report);

 private:
  MonotonicNs now_ns() const { return parts_.clock.monotonic_ns(); }

  // Calls (dispatch.cpp).
  Call& make_call(ApiState& api, RequestBody body, CallListener& listener);
  void recycle(Call& call);
  void finish(Call& call, CallResult result);
  void serve(ApiState& api);
  Worker* choose_worker(ApiState& api, const Call& call);
  bool can_take(const Worker& worker, const Call& call) const;
  void hand_over(Worker& worker, Call& call);
  void unlink_held(Worker& worker, Call& call);
  void unlink_waiting(Call& call);
  void queue_again(Call& call);
  void settle_lost_calls(Worker& worker, const ExitReport& report);
  void lose(Call& call, const ExitReport& report, const Worker& worker);
  static void measure(Worker& worker, MonotonicNs now);
  CallResult result_of(const ApiState& api, CallOutcome outcome) const;
  void after_outcome(Worker& worker);

  // Tokens (dispatch.cpp).
  int tokens_needed(const Worker& worker) const;
  bool may_run(const Worker& worker, MonotonicNs now) const;
  bool overtakes(const Worker& worker, MonotonicNs now) const;
  void wait_for_token(ApiState& api, MonotonicNs now);
  void take_tokens(Worker& worker);
  void release_tokens(Worker& worker);
  void grant_tokens();

  // Workers (worker_pool.cpp).
  void want_worker(ApiState& api);
  void start_worker(ApiState& api);
  void fetch_package(Worker& worker, std::int64_t charge_bytes);
  void launch(Worker& worker, Package package);
  void start_failed(ApiState& api, const std::string& reason);
  bool make_room(std::int64_t needed_bytes);
  static std::int64_t expected_charge(const ApiState& api);
  std::int64_t first_charge(const ApiState& api) const;
  void charge(Worker& worker, std::int64_t bytes);
  void go_idle(Worker& worker);
  void drain(Worker& worker);
  void kill(Worker& worker);
  void bury(Worker& worker);
  void retry_starts();
  void fail_waiting(ApiState& api);
  void drain_outdated(ApiState& api);
  /// Brings the workers of an API towards what is wanted.
  void tend(ApiState& api);
  int workers_limit(const ApiState& api) const;

  // Instances (dispatch_dedicated.cpp).
  void tend_dedicated(ApiState& api);
  static std::int64_t dedicated_bytes(const ApiState& api);
  bool has_room_for(const ApiState& api) const;
  std::int64_t claimable_bytes() const;
  std::string no_room_reason(const ApiState& api) const;
  void wait_for_room(ApiState& api);
  void stop_waiting_for_room(ApiState& api);
  void serve_room_ring();
  bool keeps_room_free() const;
  void start_missing(ApiState& api, const InstanceView& view, int missing_count);
  void drain_least_busy(ApiState& api);
  InstanceView view_of(const ApiState& api) const;
  static std::string missing_reason(const ApiState& api, const InstanceView& view);
  bool is_wanted(const ApiState& api) const;

  // A version that is tried (dispatch_trial.cpp).
  std::size_t trial_workers_count(const ApiState& api) const;
  void on_trial_ready(Worker& worker, const LoadReport& report);
  void on_trial_exit(Worker& worker, const ExitReport& report);
  Error no_room_for(const ApiState& api, std::int64_t needed_bytes, std::int64_t others_bytes) const;
  std::shared_ptr<Worker> trial_worker(ApiState& api, Priority priority);
  static bool is_starved(Worker& worker);
  void hurry_trial(ApiState& api);
  void answer_trial(ApiState& api, const Status& status);
  void adopt_trial(ApiState& api);
  MonotonicNs watch_trial(ApiState& api, MonotonicNs now);

  // Deadlines (dispatch_deadlines.cpp).
  void tick();
  void expire_waiting(ApiState& api, MonotonicNs now);
  MonotonicNs watch_held(Worker& worker, MonotonicNs now);
  MonotonicNs watch_token(ApiState& api, MonotonicNs now);
  MonotonicNs tick_api(ApiState& api, MonotonicNs now);
  MonotonicNs stop_aged(MonotonicNs now);

  DataPlaneParts& parts_;
  const DataPlaneOptions& options_;
  InstanceMeter& meter_;
  Alarm alarm_;

  std::uint64_t next_call_id_ = 1;
  std::vector<std::unique_ptr<Call>> spare_calls_;
  std::size_t calls_count_ = 0;

  int tokens_used_count_ = 0;
  HookList<ApiState, TokenRingTag> token_ring_;
  HookList<ApiState, StartRingTag> start_ring_;
  HookList<ApiState, RoomRingTag> room_ring_;  ///< dedicated ones that the budget has no room for
  HookList<ApiState, ActiveTag> active_;       ///< with calls, or with a time to look again
  HookList<Worker, IdleTag> idle_;             ///< per request, least recently used first
  std::vector<std::shared_ptr<Worker>> graveyard_;
  std::size_t workers_count_ = 0;
  std::size_t starting_count_ = 0;
  std::int64_t charged_bytes_ = 0;
  std::int64_t dedicated_charged_bytes_ = 0;  ///< of these, what instances of dedicated APIs take
  std::unordered_map<std::string, std::weak_ptr<const UniqueFd>> packages_;
  bool stopped_ = false;
};

}  // namespace noren::server
