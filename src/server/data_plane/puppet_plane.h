// For tests: a data plane whose clock stands still until it is moved, and whose instances do nothing until
// the test says so. One thread.
#pragma once

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/check.h"
#include "server/data_plane/data_plane.h"

namespace noren::server {

// A week to schedule in.
inline constexpr WallUs kMonday = 1'704'067'200'000'000;  // 2024-01-01
inline constexpr WallUs kHourUs = 3'600'000'000;
inline constexpr WallUs kSecondUs = 1'000'000;
inline constexpr WallUs kNine = kMonday + 9 * kHourUs;
inline constexpr WallUs kFive = kMonday + 17 * kHourUs;

inline constexpr const char* kPuppetKey = "6626b3e4-1316-4b1a-b10b-000000000001";

class PuppetHost;

/// One worker process as the test plays it.
class Puppet final : public Instance {
 public:
  Puppet(PuppetHost& host, InstanceSpec of, InstanceListener& listener)
      : spec(std::move(of)), host_(host), listener_(listener) {}
  ~Puppet() override;

  void call(std::uint64_t id, const RequestBody& body, MonotonicNs) override {
    held.emplace_back(id, body.inline_bytes);
    files_of[body.inline_bytes] = body.files;
    limit_bytes_of[body.inline_bytes] = body.limit_bytes;
  }
  void cancel(std::uint64_t) override {}
  void drain() override {
    is_draining = true;
    end_if_drained();
  }
  void kill() override;

  // What the test plays.
  void become_ready(std::int64_t private_bytes = 8 << 20) {
    is_ready = true;
    listener_.on_ready({1'000'000, private_bytes, false});
  }
  void grow_to(std::int64_t private_bytes) { listener_.on_memory(private_bytes); }
  void answer() {
    const auto [id, body] = held.front();
    held.erase(held.begin());
    listener_.on_outcome(id, {OutcomeCode::kOk, "answer to " + body, 0, 1});
    if (is_draining) end_if_drained();
  }
  void answer_all() {
    while (!held.empty()) answer();
  }
  void crash(const std::string& reason = "signal 11") { end({ExitKind::kCrashed, 11, reason}); }
  void fail_to_load(const std::string& reason) { end({ExitKind::kLoadFailed, 0, reason}); }

  const InstanceSpec spec;
  std::vector<std::pair<std::uint64_t, std::string>> held;
  std::map<std::string, RequestBody::Files> files_of;   ///< what a body may carry
  std::map<std::string, std::uint32_t> limit_bytes_of;  ///< and what it may become
  bool is_ready = false;
  bool is_draining = false;

 private:
  void end_if_drained();
  void end(const ExitReport& report);
  PuppetHost& host_;
  InstanceListener& listener_;
  bool is_gone_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class PuppetHost final : public InstanceHost {
 public:
  explicit PuppetHost(EventLoop& loop) : loop_(loop) {}
  std::unique_ptr<Instance> start(InstanceSpec spec, InstanceListener& listener) override {
    auto puppet = std::make_unique<Puppet>(*this, std::move(spec), listener);
    live.push_back(puppet.get());
    ++started_count;
    return puppet;
  }
  void inspect(InspectSpec, std::function<void(Result<Inspection>)>) override {}
  MonotonicNs last_probe_ns() const override { return 0; }
  std::string gpu_unavailable_reason() const override { return {}; }

  std::vector<Puppet*> live;  ///< in the order of their starts
  int started_count = 0;

 private:
  friend class Puppet;
  EventLoop& loop_;
};

inline Puppet::~Puppet() { std::erase(host_.live, this); }
inline void Puppet::kill() {
  // As a real process: its end comes later.
  host_.loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) end({ExitKind::kKilled, 9, {}});
  });
}
inline void Puppet::end_if_drained() {
  if (!held.empty()) return;
  host_.loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) end({ExitKind::kStopped, 0, {}});
  });
}
inline void Puppet::end(const ExitReport& report) {
  if (std::exchange(is_gone_, true)) return;
  std::erase(host_.live, this);
  listener_.on_exit(report);
}

/// A caller: admitted, and then waiting for its answer.
class Caller final : public CallListener, public AdmissionWaiter {
 public:
  void on_call_done(CallResult result) override { done = std::move(result); }
  void on_admitted(Admitted result) override { admitted = std::move(result); }
  bool is_answered() const { return done.has_value() && !done->refused; }

  Admitted admitted = Waiting{};
  std::optional<CallResult> done;
};

class PuppetPlane : private QuotaSource {
 public:
  explicit PuppetPlane(WallUs start_us, DataPlaneOptions options = {}) : clock(start_us) {
    char folder[] = "/tmp/noren-plane-XXXXXX";
    CHECK(::mkdtemp(folder) != nullptr);
    folder_ = folder;
    auto opened = UsageCounters::open(folder_ + "/usage.counters", clock);
    CHECK(opened.ok());
    usage_ = std::move(*opened);
    options.key_digest_key.fill(7);
    const PackageLoader loader = [](const std::string&, const std::function<void(Result<Package>)>& done) {
      done(Package(std::make_shared<const UniqueFd>()));
    };
    const InstanceTimeSink sink = [this](const std::vector<InstanceTime>& rows,
                                         const std::function<void(Status)>& done) {
      for (const InstanceTime& row : rows) keep(row);
      done(Ok{});
    };
    plane = std::make_unique<DataPlane>(DataPlaneParts{loop, clock, host, *this, *usage_, loader, {}, sink},
                                        options);
  }
  ~PuppetPlane() override {
    plane.reset();
    usage_.reset();
    ::unlink((folder_ + "/usage.counters").c_str());
    ::rmdir(folder_.c_str());
  }

  static PublishedApi api(const std::string& id, ExecutionType type = ExecutionType::kDedicated) {
    PublishedApi api;
    api.id = id;
    api.number = static_cast<std::uint32_t>(std::hash<std::string>()(id) % 1'000 + 1);
    api.type = type;
    api.owner_plan = Plan::kPaid;
    DigestKey key{};
    key.fill(7);
    api.keys = {{"k", digest_of(kPuppetKey, key)}};
    api.version_label = "20200707_051647035778";
    api.package_hash = "hash-" + id;
    api.body_limit_bytes = limits::kRequestBodyDedicatedBytes;
    api.deadline_ms = limits::kInferenceDeadlineMs;
    api.queue_limit_count = limits::kQueuePerApiCount;
    return api;
  }

  /// Lets what follows from each other happen.
  void settle() {
    constexpr int kTurnsCount = 4;
    for (int i = 0; i < kTurnsCount; ++i) loop.turn(clock.monotonic_ns());
  }
  void apply(std::vector<PublishedApi> apis) {
    plane->apply(std::make_shared<const Catalog>(std::move(apis)));
    settle();
  }
  void advance_ms(std::int64_t ms) {
    clock.advance_ms(ms);
    settle();
  }
  /// Stops at every second, as the real one does.
  void advance_to(WallUs wall_us, std::int64_t step_ms = 1'000) {
    while (clock.wall_us() < wall_us)
      advance_ms(std::min<std::int64_t>(step_ms, (wall_us - clock.wall_us() + 999) / 1'000));
  }

  void ask(Caller& caller, const PublishedApi& api) {
    caller.admitted = plane->admit({api.id, kPuppetKey, api.type, {}}, caller);
  }
  /// Hands the body over where admission said yes.
  void send(Caller& caller, const std::string& body) {
    auto refused = plane->call(std::get<Permit>(caller.admitted), RequestBody{body, {}, body.size()}, caller);
    if (refused) caller.done = std::move(refused);
    settle();
  }
  bool call(Caller& caller, const PublishedApi& api, const std::string& body) {
    ask(caller, api);
    if (!std::holds_alternative<Permit>(caller.admitted)) return false;
    send(caller, body);
    return true;
  }
  /// Why a call is refused now; a CHECK where it is not.
  Refused refusal(const PublishedApi& api) {
    Caller caller;
    ask(caller, api);
    CHECK(std::holds_alternative<Refused>(caller.admitted));
    return std::get<Refused>(caller.admitted);
  }
  bool admits(const PublishedApi& api) {
    Caller caller;
    ask(caller, api);
    return std::holds_alternative<Permit>(caller.admitted);
  }
  InstanceState state(const PublishedApi& api) { return plane->status(api.id)->state; }
  std::int64_t billed_s(const PublishedApi& api) {
    std::vector<InstanceTime> rows;
    for (const InstanceTime& row : stored)
      if (row.api_number == api.number) rows.push_back(row);
    std::int64_t sum = 0;
    for (const auto& [day, seconds] : instance_seconds_by_day(rows)) sum += seconds.cpu_s + seconds.gpu_s;
    return sum;
  }

  ManualClock clock;
  EventLoop loop{EventLoop::Alarms::kByHand};
  PuppetHost host{loop};
  std::vector<InstanceTime> stored;
  std::unique_ptr<DataPlane> plane;

 private:
  void keep(const InstanceTime& row) {
    for (InstanceTime& own : stored)
      if (own.api_number == row.api_number && own.slot == row.slot && own.span.from_us == row.span.from_us) {
        own.span.until_us = std::max(own.span.until_us, row.span.until_us);
        return;
      }
    stored.push_back(row);
  }
  void lease(const std::string&, std::uint32_t, std::function<void(Result<QuotaGrant>)> done) override {
    done(QuotaGrant{0});
  }
  void give_back(const std::string&, std::uint32_t) override {}

  std::string folder_;
  std::unique_ptr<UsageCounters> usage_;
};

}  // namespace noren::server
