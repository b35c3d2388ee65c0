// One worker process of an API as dispatch sees it. Event loop only.
#pragma once

#include "server/data_plane/api_state.h"

namespace noren::server {

class Dispatch;
struct IdleTag;

/// What a worker of an unknown model is expected to take: a process of its own, and its package twice.
inline constexpr std::int64_t kWorkerBaseBytes = 10 * static_cast<std::int64_t>(limits::kMiB);

/// What a worker was started with. Where its API says otherwise by now, the worker is outdated and another
/// one takes its place.
struct ServedAs {
  std::string version_label;
  std::string package_hash;
  ExecutionType type = ExecutionType::kPerRequest;
  bool keep_output_names = false;
  bool batching = true;
  bool on_gpu = false;
  int threads_count = 1;

  static ServedAs of(const PublishedApi& api) {
    return {api.version_label, api.package_hash, api.type,         api.keep_output_names,
            api.batching,      api.on_gpu,       api.threads_count};
  }
  /// Asked for each request: it copies nothing.
  bool still_fits(const PublishedApi& api) const {
    return version_label == api.version_label && package_hash == api.package_hash && type == api.type &&
           keep_output_names == api.keep_output_names && batching == api.batching && on_gpu == api.on_gpu &&
           threads_count == api.threads_count;
  }
};

class Worker final : public InstanceListener,
                     public AutoHook<IdleTag>,
                     public std::enable_shared_from_this<Worker> {
 public:
  enum class Phase : std::uint8_t {
    kFetching,  ///< the package is on its way
    kStarting,  ///< forked, loads the model
    kReady,
    kDraining,  ///< takes no more
    kDying,     ///< killed, not gone yet
    kGone,
  };

  Worker(Dispatch& owner, ApiState& of) : dispatch(owner), api(of) {}

  void on_ready(const LoadReport& report) override;
  void on_outcome(std::uint64_t call_id, CallOutcome outcome) override;
  void on_memory(std::int64_t private_bytes) override;
  void on_exit(const ExitReport& report) override;

  bool is_live() const {
    return phase == Phase::kFetching || phase == Phase::kStarting || phase == Phase::kReady;
  }
  bool is_outdated() const { return !served_as.still_fits(*api.api); }
  std::int64_t service_ns() const { return completed_count == 0 ? 0 : busy_ns / completed_count; }

  Dispatch& dispatch;
  ApiState& api;
  std::unique_ptr<Instance> instance;
  Phase phase = Phase::kFetching;
  ServedAs served_as;
  bool batchable = false;
  int batch_limit_count = 1;

  CallQueue held;
  int held_count = 0;
  int window_count = 1;
  bool exclusive = false;  ///< runs a suspect
  int tokens_count = 0;    ///< that it holds
  bool killed_by_us = false;
  bool is_restart = false;  ///< in the place of an instance that was lost while it ran
  Priority load_priority = Priority::kNormal;
  std::int64_t core_time_ns = 0;  ///< when it was last looked at
  bool on_trial = false;          ///< in the API's trial, not among its workers
  MonotonicNs turn_started_ns = 0;

  MonotonicNs started_ns = 0;
  MonotonicNs ready_ns = 0;
  MonotonicNs last_event_ns = 0;  ///< a request sent to an idle worker, or an outcome
  std::int64_t busy_ns = 0;       ///< with completed_count: the time a request takes, aged
  std::int64_t completed_count = 0;
  MonotonicNs idle_since_ns = 0;
  std::int64_t charged_bytes = 0;
};

}  // namespace noren::server
