#include "server/instances/local/local_host.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/limits.h"
#include "base/log.h"
#include "server/instances/local/local_inspection.h"
#include "server/instances/local/local_instance.h"
#include "server/instances/local/zygote_process.h"

namespace noren::server {
namespace {

namespace asio = boost::asio;
using link::FrameType;

constexpr std::int64_t kFirstBackOffMs = 20;
constexpr std::int64_t kLastBackOffMs = 5'000;
constexpr std::int64_t kStableNs = 10'000'000'000;  // a zygote that lived so long was no failure of its start

/// Everything behind the InstanceHost. Shared, because handlers of the loop may outlive the host by one turn.
class Host final : public FrameReceiver, public std::enable_shared_from_this<Host> {
 public:
  Host(asio::io_context& io, LocalHostOptions options, DeviceKind device)
      : io_(io), options_(std::move(options)), device_(device), restart_(io), next_probe_(io) {}

  void open(const std::shared_ptr<GreetedZygote>& first = nullptr);
  void close();
  std::shared_ptr<ServingChild> start(const InstanceSpec& spec, InstanceListener& listener);
  void inspect(InspectSpec spec, InspectingChild::Done done);
  MonotonicNs last_probe_ns() const { return last_probe_ns_; }

 private:
  void start_zygote();
  void use(ZygoteProcess zygote);
  void restart_later();
  Status on_frame(link::Frame& frame, ByteView payload) override;
  void on_end(const std::string& why) override;
  Status on_hello(ByteView payload);

  Status adopt(const std::shared_ptr<LocalChild>& child);
  void ask_for(LocalChild& child);
  void lose_children();
  void probe();
  void begin_waiting_inspections();
  void begin_inspection(InspectSpec spec, InspectingChild::Done done);
  std::size_t inspecting_count() const;

  asio::io_context& io_;
  const LocalHostOptions options_;
  const DeviceKind device_;
  std::optional<ZygoteProcess> zygote_;
  std::shared_ptr<FrameStream> control_;
  std::unordered_map<std::uint64_t, std::shared_ptr<LocalChild>> children_;
  std::deque<std::pair<InspectSpec, InspectingChild::Done>> waiting_inspections_;
  std::uint64_t next_id_ = 1;
  asio::steady_timer restart_;
  asio::steady_timer next_probe_;
  std::int64_t back_off_ms_ = kFirstBackOffMs;
  MonotonicNs last_probe_ns_ = 0;
  MonotonicNs hello_ns_ = 0;
  bool closed_ = false;
};

void Host::open(const std::shared_ptr<GreetedZygote>& first) {
  if (first == nullptr) {
    start_zygote();
  } else {
    use(std::move(first->process));
    CHECK(on_hello(first->greeting).ok());  // it was looked at
  }
  if (options_.probe_every_ms > 0) probe();
}

void Host::close() {
  closed_ = true;
  restart_.cancel();
  next_probe_.cancel();
  if (control_ != nullptr) control_->close();
  for (const auto& [id, child] : children_) child->abandon();
  children_.clear();
  waiting_inspections_.clear();
  zygote_.reset();
}

void Host::start_zygote() {
  auto started = ZygoteProcess::start(options_, device_);
  if (!started.ok()) {
    log(LogLevel::kError, "worker_host_not_started", {{"problem", describe(started.error())}});
    lose_children();
    return restart_later();
  }
  use(std::move(*started));
}

void Host::use(ZygoteProcess zygote) {
  hello_ns_ = 0;
  zygote_ = std::move(zygote);
  control_ = std::make_shared<FrameStream>(io_, zygote_->take_control(), kControlPayloadBytes,
                                           link::Descriptors::kAccept);
  control_->start(shared_from_this());
  for (const auto& [id, child] : children_) ask_for(*child);
}

void Host::restart_later() {
  restart_.expires_after(std::chrono::milliseconds(back_off_ms_));
  back_off_ms_ = std::min(back_off_ms_ * 2, kLastBackOffMs);
  restart_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->closed_) self->start_zygote();
  });
}

void Host::on_end(const std::string& why) {
  log(LogLevel::kError, "worker_host_lost", {{"problem", why.empty() ? "it ended" : why}});
  control_ = nullptr;
  zygote_.reset();
  lose_children();
  if (hello_ns_ > 0 && system_clock().monotonic_ns() - hello_ns_ > kStableNs) back_off_ms_ = kFirstBackOffMs;
  restart_later();
}

void Host::lose_children() {
  std::vector<std::shared_ptr<LocalChild>> lost;
  for (const auto& [id, child] : children_) lost.push_back(child);
  for (const auto& child : lost) child->on_host_lost(io_);
}

Status Host::on_frame(link::Frame& frame, ByteView payload) {
  const link::FrameHeader& header = frame.header;
  if (header.type == FrameType::kHello) return on_hello(payload);
  if (header.type == FrameType::kFailed) {
    log(LogLevel::kError, "worker_host_refuses", {{"problem", text_of(payload)}});
    return Ok{};
  }
  const auto found = children_.find(header.id);
  if (found == children_.end()) return Ok{};
  const std::shared_ptr<LocalChild> child = found->second;
  switch (header.type) {
    case FrameType::kForked: child->on_forked(std::move(frame.descriptor)); break;
    case FrameType::kForkFailed:
      log(LogLevel::kError, "worker_not_forked", {{"problem", text_of(payload)}});
      child->on_exited(0, 0);
      break;
    case FrameType::kExited:
      child->on_exited(static_cast<int>(header.code), static_cast<int>(header.count));
      break;
    default: return link::broken_frame("type");
  }
  return Ok{};
}

Status Host::on_hello(ByteView payload) {
  // The program may have been replaced while the server runs.
  if (const Status greeted = check_greeting(payload); !greeted.ok())
    return link::broken_frame("noren-worker " + greeted.error().text);
  const auto hello = link::decode<link::HelloReport>(payload);
  hello_ns_ = system_clock().monotonic_ns();
  log(LogLevel::kInfo, "worker_host_ready",
      {{"warm_up_ms", hello->warm_up_ns / 1'000'000},
       {"sandbox", hello->profile},
       {"landlock", static_cast<std::int64_t>(hello->landlock_abi)},
       {"note", hello->notes}});
  return Ok{};
}

/// Gives the child its socket and has it forked.
Status Host::adopt(const std::shared_ptr<LocalChild>& child) {
  ASSIGN_OR_RETURN(SocketPair pair, make_socket_pair());
  auto stream = std::make_shared<FrameStream>(io_, std::move(pair.ours), limits::kAnswerBytes,
                                              link::Descriptors::kRefuse);
  child->attach(std::move(stream), std::move(pair.theirs), [weak = weak_from_this()](std::uint64_t id) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->children_.erase(id);
    self->begin_waiting_inspections();
  });
  children_.emplace(child->id(), child);
  return Ok{};
}

void Host::ask_for(LocalChild& child) {
  if (control_ == nullptr || !child.waits_for_host()) return;
  control_->writer().add({.type = FrameType::kFork, .id = child.id()}, link::encode(child.bounds()),
                         child.take_socket());
  control_->flush_soon();
}

std::shared_ptr<ServingChild> Host::start(const InstanceSpec& spec, InstanceListener& listener) {
  auto child = std::make_shared<ServingChild>(next_id_++, spec, options_, listener);
  const std::string why = spec.device == device_ ? "" : gpu_unavailable_reason(options_.gpu_runtime_folder);
  if (!why.empty() || !adopt(child).ok()) {
    asio::post(io_,
               [child, why = why.empty() ? "the server is out of descriptors" : why] { child->refuse(why); });
    return child;
  }
  child->load(spec);
  ask_for(*child);
  return child;
}

/// The same once more, on a busy machine.
Result<InspectSpec> again_at_low_priority(const InspectSpec& spec) {
  UniqueFd file(::fcntl(spec.file.get(), F_DUPFD_CLOEXEC, 0));
  if (!file.valid()) return system_error(Code::kUnavailable, "the server is out of descriptors", "fcntl");
  return InspectSpec{std::move(file),  spec.file_name, spec.input_rules, spec.list_layers,
                     spec.deadline_ms, Priority::kLow, spec.task,        spec.hang_up};
}

std::size_t Host::inspecting_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      children_, [](const auto& child) { return child.second->bounds().role == link::ChildRole::kInspect; }));
}

void Host::inspect(InspectSpec spec, InspectingChild::Done done) {
  waiting_inspections_.emplace_back(std::move(spec), std::move(done));
  begin_waiting_inspections();
}

void Host::begin_waiting_inspections() {
  while (!waiting_inspections_.empty() && inspecting_count() < kInspectingCount) {
    auto [spec, done] = std::move(waiting_inspections_.front());
    waiting_inspections_.pop_front();
    begin_inspection(std::move(spec), std::move(done));
  }
}

void Host::begin_inspection(InspectSpec spec, InspectingChild::Done done) {
  const std::int64_t memory_bytes = options_.inspect_memory_limit_bytes;
  auto child = std::make_shared<InspectingChild>(next_id_++, io_, memory_bytes, done);
  auto again = again_at_low_priority(spec);
  if (again.ok() && spec.priority == Priority::kIdle)
    child->when_starved(
        [weak = weak_from_this(), done, again = std::make_shared<InspectSpec>(std::move(*again))] {
          if (const auto self = weak.lock()) self->inspect(std::move(*again), done);
        });
  auto output = create_memfd("package");
  Status ready = output.ok() ? adopt(child) : Status(output.error());
  if (!ready.ok()) {
    asio::post(io_, [done = std::move(done), error = ready.error()] { done(error); });
    return;
  }
  if (spec.hang_up != nullptr)
    spec.hang_up->listen([&io = io_, weak = std::weak_ptr<InspectingChild>(child)] {
      asio::post(io, [weak] {
        if (const auto gone = weak.lock()) gone->give_up();
      });
    });
  child->begin(std::move(spec), std::move(*output));
  ask_for(*child);
}

void Host::probe() {
  auto child = std::make_shared<ProbingChild>(next_id_++, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->last_probe_ns_ = system_clock().monotonic_ns();
  });
  if (adopt(child).ok()) {
    child->begin();
    ask_for(*child);
  }
  next_probe_.expires_after(std::chrono::milliseconds(options_.probe_every_ms));
  next_probe_.async_wait([self = shared_from_this(), child](const boost::system::error_code& error) {
    if (error || self->closed_) return;
    child->kill();  // it had its time
    self->probe();
  });
}

class LocalHost final : public InstanceHost {
 public:
  LocalHost(asio::io_context& io, const LocalHostOptions& options,
            const std::shared_ptr<GreetedZygote>& first)
      : io_(io),
        options_(options),
        gpu_reason_(server::gpu_unavailable_reason(options.gpu_runtime_folder)),
        host_(std::make_shared<Host>(io, options, DeviceKind::kCpu)) {
    host_->open(first);
  }
  ~LocalHost() override {
    host_->close();
    if (gpu_host_ != nullptr) gpu_host_->close();
  }

  std::unique_ptr<Instance> start(InstanceSpec spec, InstanceListener& listener) override {
    const bool on_gpu = spec.device == DeviceKind::kGpu && gpu_reason_.empty();
    Host& host = on_gpu ? gpu_host() : *host_;
    return std::make_unique<LocalInstance>(host.start(spec, listener));
  }
  void inspect(InspectSpec spec, std::function<void(Result<Inspection>)> done) override {
    host_->inspect(std::move(spec), std::move(done));
  }
  MonotonicNs last_probe_ns() const override { return host_->last_probe_ns(); }
  std::string gpu_unavailable_reason() const override { return gpu_reason_; }

 private:
  /// A zygote of its own, started with the first instance: other libraries, and lower walls for its children
  /// alone. None of it meets the driver before it forks, because CUDA does not survive that.
  Host& gpu_host() {
    if (gpu_host_ == nullptr) {
      LocalHostOptions options = options_;
      options.probe_every_ms = 0;
      gpu_host_ = std::make_shared<Host>(io_, std::move(options), DeviceKind::kGpu);
      gpu_host_->open();
    }
    return *gpu_host_;
  }

  asio::io_context& io_;
  const LocalHostOptions options_;
  const std::string gpu_reason_;
  std::shared_ptr<Host> host_;
  std::shared_ptr<Host> gpu_host_;
};

}  // namespace

std::unique_ptr<InstanceHost> make_local_host(asio::io_context& io, const LocalHostOptions& options,
                                              const std::shared_ptr<GreetedZygote>& first) {
  return std::make_unique<LocalHost>(io, options, first);
}

Result<Inspection> inspect_once(LocalHostOptions options, InspectSpec spec) {
  asio::io_context io(1);
  options.probe_every_ms = 0;
  std::optional<Result<Inspection>> result;
  ASSIGN_OR_RETURN(const std::shared_ptr<GreetedZygote> zygote, start_worker_program(options));
  LocalHost host(io, options, zygote);
  spec.priority = Priority::kNormal;  // somebody waits for it, and nobody is served beside it
  host.inspect(std::move(spec), [&](Result<Inspection> inspected) {
    result = std::move(inspected);
    io.stop();
  });
  io.run();
  if (!result.has_value()) return internal("the inspection never ended");
  return std::move(*result);
}

}  // namespace noren::server
