// server/data_plane/data_plane.h - The data plane: who may call (admission gives a permit), and who runs the
// call (dispatch). Made by app; used by the HTTP room; everything on the event loop, nothing waits for a
// store or a disk. The control plane swaps the catalog in with apply(), posted to the loop.
//
//   Admission answer = plane.admit(head, waiter);         // Permit, Refused, WrongPath, or Waiting:
//   on_admitted() follows plane.call(permit, std::move(body), listener);        // on_call_done() follows
//   permit.settle(UsageClass::kSuccess);                  // when the answer was sent
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <variant>

#include "base/limits.h"
#include "domain/catalog.h"
#include "domain/instance_meter.h"
#include "domain/ip_network.h"
#include "server/data_plane/call.h"
#include "server/data_plane/permit.h"
#include "server/data_plane/quota_source.h"
#include "server/data_plane/usage_counters.h"
#include "server/event_loop/event_loop.h"
#include "server/instances/instance.h"

namespace noren::server {

struct DataPlaneOptions {
  DigestKey key_digest_key{};
  int cpu_tokens_count = 1;  ///< workers that run at the same time
  std::int64_t memory_budget_bytes = 2 * static_cast<std::int64_t>(limits::kGiB);
  std::int64_t worker_memory_limit_bytes = 0;  ///< 0: the host's default
  std::int64_t warm_age_ms = 600'000;          ///< an unused per-request worker is stopped after this
  int workers_per_api_count = 0;               ///< per request, under load; 0: one for each CPU token
};

/// Fetches a package by its name in the blob store. `done` is called on the event loop, at once or later.
using Package = std::shared_ptr<const UniqueFd>;
using PackageLoader =
    std::function<void(const std::string& package_hash, std::function<void(Result<Package>)> done)>;

/// Stores usage rows. `done` is called on the event loop.
using UsageSink = std::function<void(std::vector<UsageRow> rows, std::function<void(Status)> done)>;
/// Stores how long instances ran, likewise.
using InstanceTimeSink =
    std::function<void(std::vector<InstanceTime> rows, std::function<void(Status)> done)>;

struct DataPlaneParts {
  EventLoop& loop;
  Clock& clock;
  InstanceHost& host;
  QuotaSource& quota;
  UsageCounters& usage;
  PackageLoader load_package;
  UsageSink store_usage;                 ///< may be empty
  InstanceTimeSink store_instance_time;  ///< may be empty
};

/// What the head of a request tells admission.
struct CallerHead {
  std::string_view api_id;
  std::string_view key;
  ExecutionType path_type = ExecutionType::kPerRequest;
  IpAddress remote;
};

/// The key is right, the path is the other type's.
struct WrongPath {
  ExecutionType right_type = ExecutionType::kPerRequest;
};
struct Waiting {};
using Admitted = std::variant<Permit, Refused, WrongPath, Waiting>;

/// Waits for the last free permits, that other callers hold. Destroyed while it waits:
/// DataPlane::stop_waiting first.
class AdmissionWaiter {
 public:
  virtual void on_admitted(Admitted result) = 0;

 protected:
  AdmissionWaiter() = default;
  virtual ~AdmissionWaiter() = default;

 private:
  friend class Admission;
  std::shared_ptr<ApiState> state_;  ///< while it waits
};

/// One API's instances as the console shows them.
struct ApiStatus {
  InstanceState state = InstanceState::kStopped;
  std::string reason;  ///< of retrying and failed, and why fewer are ready than wanted
  int ready_count = 0;
  std::int64_t private_bytes = 0;
};

class DataPlane {
 public:
  DataPlane(DataPlaneParts parts, DataPlaneOptions options);
  /// Kills every worker. Nobody may wait for anything any more.
  ~DataPlane();

  /// From here on this is what is published.
  void apply(const CatalogSnapshot& snapshot);

  /// Loads the version beside the one that serves and has it answer a sample request; nothing else changes.
  /// Ok: its workers stand ready, and the catalog that names the version makes them serve at once.
  void try_version(VersionToTry version, std::function<void(Status)> done);
  /// The version that was tried last will not be published.
  void drop_version(std::string_view api_id);

  Admitted admit(const CallerHead& head, AdmissionWaiter& waiter);
  void stop_waiting(AdmissionWaiter& waiter);
  /// Hands the body over; on_call_done() follows, later. An API whose queue has filled since refuses at once:
  /// the result.
  std::optional<CallResult> call(const Permit& permit, RequestBody body, CallListener& listener);
  /// The caller is gone: what waits is dropped, what runs long and alone is killed. Harmless after
  /// on_call_done().
  void abandon(CallListener& listener);

  /// None where nothing of that id is published.
  std::optional<ApiStatus> status(std::string_view api_id) const;
  std::size_t calls_count() const;
  std::size_t workers_count() const;
  /// What the store does not have yet, up to now: for the end of the program, when nothing is stored any
  /// more.
  std::vector<InstanceTime> close_instance_time();
  /// The server stops: workers are killed, calls that were under way end with kInternal and are not counted.
  void kill_all();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace noren::server
