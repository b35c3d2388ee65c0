// server/data_plane/testing/simulation.h - For tests: the real data plane on a manual clock, with workers
// that take as long as a request's body says and share the machine's cores. One millisecond after the other;
// nothing sleeps, so the same test runs the same way each time.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "server/data_plane/data_plane.h"

namespace noren::server::testing {

inline constexpr const char* kKey = "6626b3e4-1316-4b1a-b10b-000000000001";

/// A body is "MS" (that much work, then an answer), "die" or "dieonce" (the process ends after 1 ms of work),
/// "hang", or "invalid".
class SimulatedHost final : public InstanceHost {
 public:
  SimulatedHost(EventLoop& loop, Clock& clock, int cores_count)
      : loop_(loop), clock_(clock), cores_count_(cores_count) {}
  std::unique_ptr<Instance> start(InstanceSpec spec, InstanceListener& listener) override;
  void inspect(InspectSpec, std::function<void(Result<Inspection>)>) override {}
  MonotonicNs last_probe_ns() const override { return 0; }
  std::string gpu_unavailable_reason() const override { return {}; }
  /// One millisecond of all cores.
  void tick();
  /// Ends every process of this version, as if from outside.
  void crash(const std::string& version_label);

  double load_ms = 5;
  std::int64_t private_bytes = 8 << 20;
  std::string load_failure;  ///< of versions on trial
  bool never_loads = false;  ///< versions on trial
  double core_share = 1;     ///< that a process which loads is said to have had
  bool dies_once = false;    ///< the next "dieonce" dies, further ones are answered
  int killed_count = 0;
  std::vector<InstanceSpec> specs;
  std::vector<std::string> bodies;  ///< in the order in which they began to run

 private:
  friend class SimulatedInstance;
  EventLoop& loop_;
  Clock& clock_;
  const int cores_count_;
  std::list<class SimulatedInstance*> instances_;
};

struct SimulationOptions {
  int cores_count = 2;
  std::int64_t memory_budget_bytes = std::int64_t{1} << 30;
  int workers_per_api_count = 0;
};

class Simulation {
 public:
  explicit Simulation(std::vector<PublishedApi> apis, SimulationOptions options = {});
  ~Simulation();

  class Request final : private CallListener, private AdmissionWaiter {
   public:
    explicit Request(Simulation& owner) : owner_(owner) {}
    ~Request() override { hang_up(); }
    /// 0: not answered yet.
    int status = 0;
    std::string version;  ///< that answered
    MonotonicNs sent_ns = 0;
    MonotonicNs done_ns = 0;
    std::int32_t retry_after_s = 0;
    double took_ms() const { return static_cast<double>(done_ns - sent_ns) / 1e6; }
    void hang_up();

   private:
    friend class Simulation;
    void on_call_done(CallResult result) override;
    void on_admitted(Admitted) override {}
    void finish(int with_status);
    Simulation& owner_;
    Permit permit_;
  };
  /// Good until the end of the test.
  Request& send(const std::string& api_id, const std::string& body);
  void apply(std::vector<PublishedApi> apis);
  void run_ms(int duration_ms);
  std::uint64_t successes(std::uint32_t api_number) const;

  DataPlane& plane() { return *plane_; }
  SimulatedHost& host() { return *host_; }
  MonotonicNs now_ns() const { return clock_.monotonic_ns(); }

 private:
  class NoQuota;
  std::string folder_;
  ManualClock clock_;
  EventLoop loop_{EventLoop::Alarms::kByHand};
  std::unique_ptr<SimulatedHost> host_;
  std::unique_ptr<QuotaSource> quota_;
  std::unique_ptr<UsageCounters> usage_;
  std::unique_ptr<DataPlane> plane_;
  std::deque<Request> requests_;
};

/// A published API with the key kKey; settings as in real life.
PublishedApi simulated_api(const std::string& id, std::uint32_t number,
                           ExecutionType type = ExecutionType::kPerRequest);

}  // namespace noren::server::testing
