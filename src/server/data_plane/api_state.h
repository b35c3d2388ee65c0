// What the data plane knows of one API besides the catalog: its permits, queue and workers. Event loop only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "domain/catalog.h"
#include "domain/dispatch_policy.h"
#include "domain/instance_plan.h"
#include "domain/overload.h"
#include "domain/rate_limit.h"
#include "server/data_plane/call.h"
#include "server/data_plane/data_plane.h"
#include "server/instances/instance.h"

namespace noren::server {

template <typename Tag>
using AutoHook = boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                                  boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
template <typename T, typename Tag>
using HookList = boost::intrusive::list<T, boost::intrusive::base_hook<AutoHook<Tag>>,
                                        boost::intrusive::constant_time_size<false>>;

struct QueueTag;
class Worker;

/// A request in a queue or with a worker. Lives until its outcome, its worker's end, or until it is dropped
/// from the queue.
struct Call : AutoHook<QueueTag> {
  std::uint64_t id = 0;
  ApiState* api = nullptr;
  RequestBody body;
  MonotonicNs deadline_ns = 0;
  MonotonicNs sent_ns = 0;
  MonotonicNs abandoned_ns = 0;  ///< 0: somebody waits
  CallListener* listener = nullptr;
  Worker* worker = nullptr;  ///< null: waits in the API's queue
  int blamed_count = 0;      ///< workers that died while they may have run this
  int moved_count = 0;       ///< workers that it lost in any way
  bool suspect = false;      ///< runs alone from now on
  bool overdue = false;
};
using CallQueue = HookList<Call, QueueTag>;

struct TokenRingTag;
struct StartRingTag;
struct RoomRingTag;
struct ActiveTag;

/// A version that is tried before it serves. Its workers take no calls until the catalog names the version.
struct VersionTrial {
  VersionToTry version;
  std::vector<std::shared_ptr<Worker>> workers;
  std::function<void(Status)> done;  ///< empty: answered
  MonotonicNs deadline_ns = 0;
  /// They load with what others leave of the cores. Now and then it is looked at how much that was, and those
  /// that got too little begin anew.
  MonotonicNs look_at_ns = 0;
};

struct ApiState : AutoHook<TokenRingTag>,
                  AutoHook<StartRingTag>,
                  AutoHook<RoomRingTag>,
                  AutoHook<ActiveTag>,
                  std::enable_shared_from_this<ApiState> {
  // Catalog.
  CatalogSnapshot snapshot;
  const PublishedApi* api = nullptr;  ///< in the snapshot
  bool published = true;              ///< false: deleted, and what is under way ends

  // Admission.
  UsageCounters::FreePermits permits;
  bool lease_is_asked = false;
  bool lease_is_empty = false;  ///< the last answer was: nothing is left
  MonotonicNs lease_asked_ns = 0;
  std::deque<AdmissionWaiter*> waiters;

  // Dispatch.
  OverloadGuard guard;
  RateLimit rate;
  CallQueue waiting;
  std::size_t waiting_count = 0;
  std::size_t held_count = 0;
  std::int64_t service_ns = 0;    ///< what a request takes, by the worker that answered last; 0: not known
  MonotonicNs token_wait_ns = 0;  ///< since when it waits for a token, while it is in the ring
  std::vector<std::shared_ptr<Worker>> workers;
  std::unique_ptr<VersionTrial> trial;
  std::int64_t charge_bytes = 0;     ///< the most that a worker of the current version took; 0: not known
  std::string charge_hash;           ///< the package that charge_bytes was measured on
  std::int64_t start_ns = 0;         ///< what the last start took
  int failures_count = 0;            ///< starts that failed, or workers lost, in a row
  int no_room_count = 0;             ///< looks in a row that found no room in the memory budget
  int owed_restarts_count = 0;       ///< instances that ran and were lost: they come back whatever is free
  MonotonicNs retry_at_ns = 0;       ///< after a failure
  MonotonicNs room_retry_at_ns = 0;  ///< when to look for room again, where nothing says before that it came
  std::string failure_reason;
  RunPlan run;  ///< what the schedule says

  std::size_t under_way_count() const { return waiting_count + held_count; }
  bool is_dedicated() const { return api->type == ExecutionType::kDedicated; }
};

}  // namespace noren::server
