#include "server/data_plane/testing/simulation.h"

#include <algorithm>

#include <unistd.h>
#include <cstdlib>

#include "base/check.h"

namespace noren::server::testing {
namespace {

DigestKey digest_key() {
  DigestKey key{};
  key.fill(7);
  return key;
}

}  // namespace

class SimulatedInstance final : public Instance {
 public:
  SimulatedInstance(SimulatedHost& host, InstanceListener& listener, InstanceSpec spec)
      : host_(host),
        listener_(listener),
        spec_(std::move(spec)),
        left_ms_(host.load_ms),
        started_ns_(host.clock_.monotonic_ns()),
        alive_(std::make_shared<bool>(true)) {
    host_.instances_.push_back(this);
  }
  ~SimulatedInstance() override { host_.instances_.remove(this); }

  void call(std::uint64_t id, const RequestBody& body, MonotonicNs) override {
    CHECK(!is_gone_);
    queue_.emplace_back(id, body.inline_bytes);
  }
  void cancel(std::uint64_t id) override {
    const auto found =
        std::find_if(queue_.begin(), queue_.end(), [&](const auto& each) { return each.first == id; });
    if (found == queue_.end() || (found == queue_.begin() && runs_)) return;
    queue_.erase(found);
    post([this, id] { listener_.on_outcome(id, {OutcomeCode::kNotRun, {}, 0, 1}); });
  }
  void drain() override { is_draining_ = true; }
  void kill() override {
    ++host_.killed_count;
    post([this] { exit({ExitKind::kKilled, 9, {}}); });
  }

  std::optional<std::int64_t> core_time_ns() const override {
    return static_cast<std::int64_t>(static_cast<double>(host_.clock_.monotonic_ns() - started_ns_) *
                                     host_.core_share);
  }

  bool wants_core() const { return !is_gone_ && (!is_ready_ || !queue_.empty()); }
  bool is_of(const std::string& label) const { return spec_.version_label == label; }

  void work(double ms) {
    if (is_ready_ && !runs_) begin();
    left_ms_ -= ms;
    if (left_ms_ > 1e-9) return;
    is_ready_ ? finish() : load();
  }
  void leave_when_drained() {
    if (is_ready_ && is_draining_ && queue_.empty()) exit({ExitKind::kStopped, 0, {}});
  }
  void exit(const ExitReport& report) {
    if (is_gone_) return;
    is_gone_ = true;
    listener_.on_exit(report);
  }

 private:
  void post(std::function<void()> work) {
    host_.loop_.post([work = std::move(work), alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) work();
    });
  }
  void load() {
    if (spec_.try_sample && host_.never_loads) return;
    if (spec_.try_sample && !host_.load_failure.empty())
      return exit({ExitKind::kLoadFailed, 0, host_.load_failure});
    is_ready_ = true;
    listener_.on_ready({1'000'000, host_.private_bytes, false});
  }
  void begin() {
    runs_ = true;
    const std::string& text = queue_.front().second;
    host_.bodies.push_back(text);
    left_ms_ = text == "hang" ? 1e12 : std::max(1, std::atoi(text.c_str()));
  }
  void finish() {
    const auto [id, text] = queue_.front();
    if (text == "die" || (text == "dieonce" && std::exchange(host_.dies_once, false)))
      return exit({ExitKind::kCrashed, 11, "segmentation fault"});
    queue_.pop_front();
    runs_ = false;
    if (text == "invalid") return listener_.on_outcome(id, {OutcomeCode::kInvalidRequest, "so", 0, 1});
    listener_.on_outcome(id, {OutcomeCode::kOk, spec_.version_label, 0, 1});
  }

  SimulatedHost& host_;
  InstanceListener& listener_;
  const InstanceSpec spec_;
  double left_ms_;
  const MonotonicNs started_ns_;
  std::deque<std::pair<std::uint64_t, std::string>> queue_;
  std::shared_ptr<bool> alive_;
  bool is_ready_ = false, runs_ = false, is_draining_ = false, is_gone_ = false;
};

std::unique_ptr<Instance> SimulatedHost::start(InstanceSpec spec, InstanceListener& listener) {
  specs.push_back(spec);
  return std::make_unique<SimulatedInstance>(*this, listener, std::move(spec));
}

void SimulatedHost::tick() {
  const std::vector<SimulatedInstance*> all(instances_.begin(), instances_.end());
  const auto is_there = [this](SimulatedInstance* each) {
    return std::find(instances_.begin(), instances_.end(), each) != instances_.end();
  };
  const auto wanting =
      std::count_if(all.begin(), all.end(), [](const auto* each) { return each->wants_core(); });
  const double share =
      wanting == 0 ? 0 : std::min(1.0, static_cast<double>(cores_count_) / static_cast<double>(wanting));
  for (SimulatedInstance* each : all)
    if (is_there(each) && each->wants_core()) each->work(share);
  for (SimulatedInstance* each : all)
    if (is_there(each)) each->leave_when_drained();
}

void SimulatedHost::crash(const std::string& version_label) {
  for (SimulatedInstance* each : std::vector<SimulatedInstance*>(instances_.begin(), instances_.end()))
    if (each->is_of(version_label)) each->exit({ExitKind::kCrashed, 9, "killed from outside"});
}

class Simulation::NoQuota final : public QuotaSource {
 public:
  void lease(const std::string&, std::uint32_t, std::function<void(Result<QuotaGrant>)> done) override {
    done(QuotaGrant{0});
  }
  void give_back(const std::string&, std::uint32_t) override {}
};

Simulation::Simulation(std::vector<PublishedApi> apis, SimulationOptions options) {
  char folder[] = "/tmp/noren-simulation-XXXXXX";
  CHECK(::mkdtemp(folder) != nullptr);
  folder_ = folder;
  host_ = std::make_unique<SimulatedHost>(loop_, clock_, options.cores_count);
  quota_ = std::make_unique<NoQuota>();
  auto usage = UsageCounters::open(folder_ + "/usage.counters", clock_);
  CHECK(usage.ok());
  usage_ = std::move(usage).value();
  DataPlaneOptions plane;
  plane.key_digest_key = digest_key();
  plane.cpu_tokens_count = options.cores_count;
  plane.memory_budget_bytes = options.memory_budget_bytes;
  plane.workers_per_api_count = options.workers_per_api_count;
  const PackageLoader loader = [](const std::string& hash, const std::function<void(Result<Package>)>& done) {
    if (hash == "missing") return done(make_error(Code::kNotFound, "the package is gone"));
    done(Package(std::make_shared<const UniqueFd>()));
  };
  plane_ =
      std::make_unique<DataPlane>(DataPlaneParts{loop_, clock_, *host_, *quota_, *usage_, loader, {}}, plane);
  apply(std::move(apis));
}

Simulation::~Simulation() {
  requests_.clear();
  plane_.reset();
  usage_.reset();
  ::unlink((folder_ + "/usage.counters").c_str());
  ::rmdir(folder_.c_str());
}

void Simulation::apply(std::vector<PublishedApi> apis) {
  plane_->apply(std::make_shared<const Catalog>(std::move(apis)));
  loop_.turn(now_ns());
}

void Simulation::run_ms(int duration_ms) {
  for (int i = 0; i < duration_ms; ++i) {
    loop_.turn(now_ns());
    clock_.advance_ms(1);
    host_->tick();
    loop_.turn(now_ns());
  }
}

std::uint64_t Simulation::successes(std::uint32_t api_number) const {
  std::uint64_t sum = 0;
  for (const UsageRow& row : usage_->all_rows())
    if (row.api_number == api_number) sum += row.successes();
  return sum;
}

Simulation::Request& Simulation::send(const std::string& api_id, const std::string& body) {
  Request& request = requests_.emplace_back(*this);
  request.sent_ns = now_ns();
  Admitted admitted = plane_->admit({api_id, kKey, ExecutionType::kPerRequest, {}}, request);
  if (std::holds_alternative<WrongPath>(admitted))
    admitted = plane_->admit({api_id, kKey, std::get<WrongPath>(admitted).right_type, {}}, request);
  if (const auto* refused = std::get_if<Refused>(&admitted)) {
    request.retry_after_s = refused->retry_after_s;
    request.finish(refusal_row(refused->refusal).status);
    return request;
  }
  request.permit_ = std::get<Permit>(std::move(admitted));
  RequestBody bytes;
  bytes.inline_bytes = body;
  bytes.size_bytes = body.size();
  auto at_once = plane_->call(request.permit_, std::move(bytes), request);
  if (at_once) request.on_call_done(std::move(*at_once));
  return request;
}

void Simulation::Request::on_call_done(CallResult result) {
  version = result.answer;
  const int answered = result.refused ? refusal_row(result.refused->refusal).status : 200;
  permit_.settle(answered == 200 ? UsageClass::kSuccess : UsageClass::kRefused);
  finish(answered);
}

void Simulation::Request::finish(int with_status) {
  status = with_status;
  done_ns = owner_.now_ns();
}

void Simulation::Request::hang_up() {
  owner_.plane_->abandon(*this);
  permit_ = Permit();
}

PublishedApi simulated_api(const std::string& id, std::uint32_t number, ExecutionType type) {
  PublishedApi api;
  api.id = id;
  api.number = number;
  api.type = type;
  api.owner_plan = Plan::kPaid;
  api.keys = {{"k", digest_of(kKey, digest_key())}};
  api.version_label = "1";
  api.package_hash = "hash-1";
  api.body_limit_bytes = limits::kRequestBodyPerRequestBytes;
  api.deadline_ms = limits::kInferenceDeadlineMs;
  api.queue_limit_count = limits::kQueuePerApiCount;
  return api;
}

}  // namespace noren::server::testing
