#include "app/server_process.h"

#include <algorithm>
#include <atomic>
#include <csignal>

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#include <boost/asio/signal_set.hpp>

#include "app/bridges.h"
#include "app/foundation.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/config/options.h"
#include "server/control_plane/accounts/accounts.h"
#include "server/control_plane/apis/apis.h"
#include "server/control_plane/apis/versions.h"
#include "server/control_plane/jobs/jobs.h"
#include "server/event_loop/event_loop.h"
#include "server/http/http_server.h"
#include "server/instances/local/local_host.h"
#include "server/management/service.h"

namespace noren::app {

using namespace server;

namespace {

constexpr std::int64_t kHousekeepingMs = 2'000;
constexpr std::int64_t kReadyNs = 10'000'000'000;            // a sign of life is good for so long
constexpr std::int64_t kAbandonedJobUs = 3'600'000'000;      // an upload that was never published
constexpr std::int64_t kIdempotencyKeptUs = 86'400'000'000;  // one day
constexpr std::int64_t kTakeDownMs = 1'500;  // of the time to stop, for what comes after the drain

std::int64_t memory_budget_of(const Settings& settings) {
  if (settings.memory_budget_bytes != 0) return settings.memory_budget_bytes;
  return std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE) / 2;
}

int cpu_tokens_of(const Settings& settings) {
  if (settings.cpu_tokens_count != 0) return static_cast<int>(settings.cpu_tokens_count);
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

ApiRules rules_of(const Settings& s) {
  return {s.per_request_body_bytes, s.dedicated_body_bytes,   s.deadline_ms,
          s.queue_limit_count,      s.per_request_cost_count, s.free_apis_per_month_count,
          s.versions_kept_count,    cpu_tokens_of(s),         gpu_unavailable_reason(s.gpu_runtime)};
}

void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  // One connection is one descriptor: as many as the system lets us have.
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) log(LogLevel::kWarning, "files.limit_not_raised");
}

server::ListenAddress listen_address(const std::string& text) {
  const auto parsed = parse_host_and_port(text);
  CHECK(parsed.ok());  // the options were checked
  return {parsed->host, parsed->port};
}

/// A listener's own URL, as seen from this machine.
std::string local_url(const Settings& settings, const std::string& listen, std::uint16_t port) {
  std::string host = listen_address(listen).host;
  if (host == "0.0.0.0" || host == "::") host = "127.0.0.1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("{}://{}:{}", settings.tls_cert.empty() ? "http" : "https", host, port);
}

HttpServerOptions http_options(const Settings& settings) {
  HttpServerOptions options;
  options.listen = listen_address(settings.listen);
  if (!settings.admin_listen.empty()) options.admin_listen = listen_address(settings.admin_listen);
  options.tls_certificate_file = settings.tls_cert;
  options.tls_key_file = settings.tls_key;
  options.cors = settings.cors;
  return options;
}

LocalHostOptions host_options(const Settings& settings) {
  LocalHostOptions options;
  options.worker_path = settings.worker;
  options.memory_limit_bytes = options.inspect_memory_limit_bytes = settings.model_memory_bytes;
  options.gpu_runtime_folder = settings.gpu_runtime;
  options.gpu_memory_limit_bytes = settings.gpu_memory_bytes;
  return options;
}

DataPlaneOptions plane_options(const Settings& settings, const Keyring& keyring) {
  DataPlaneOptions options;
  options.key_digest_key = keyring.api_key_digest_key();
  options.cpu_tokens_count = cpu_tokens_of(settings);
  options.memory_budget_bytes = memory_budget_of(settings);
  return options;
}

/// The parts in the order in which they stand on each other; destroyed from the last to the first.
class ServerProcess {
 public:
  ServerProcess(const Settings& settings, Foundation& base, const std::shared_ptr<GreetedZygote>& zygote)
      : settings_(settings),
        base_(base),
        accounts_(*base.store, base.keyring, system_clock()),
        jobs_(*base.store, base.blobs, system_clock()),
        apis_(*base.store, base.keyring, system_clock(), rules_of(settings)),
        versions_(*base.store, system_clock(), rules_of(settings)),
        usage_(*base.store, base.counters->server_id(), settings.free_requests_count),
        host_(make_local_host(loop_.context(), host_options(settings), zygote)),
        serving_(loop_, *host_),
        quota_(loop_, control_, usage_),
        plane_({loop_, system_clock(), *host_, quota_, *base.counters,
                package_loader(loop_, packages_, base.blobs), usage_sink(loop_, control_, usage_),
                instance_time_sink(loop_, control_, usage_)},
               plane_options(settings, base.keyring)),
        management_(make_management_service({control_, files_, *base.store, base.keyring, accounts_, jobs_,
                                             apis_, versions_, usage_, serving_, system_clock(),
                                             rules_of(settings), [this] { return public_url_; }})),
        signals_(loop_.context(), SIGTERM, SIGINT) {
    serving_.set_plane(plane_);
  }

  Status open() {
    TRY(usage_.fold_others());
    TRY(jobs_.remove_stray_blobs());
    ASSIGN_OR_RETURN(const CatalogSnapshot catalog, apis_.build_catalog());
    ASSIGN_OR_RETURN(http_, HttpServer::open({loop_, system_clock(), plane_, *management_,
                                              [this] { return not_ready_reason(); }},
                                             http_options(settings_)));
    const std::string own_url = local_url(settings_, settings_.listen, http_->port());
    const std::string admin_url = settings_.admin_listen.empty()
                                      ? own_url
                                      : local_url(settings_, settings_.admin_listen, http_->admin_port());
    public_url_ = settings_.public_url.empty() ? own_url : settings_.public_url;
    TRY(announce_url(base_.folder, admin_url));
    plane_.apply(catalog);
    log(LogLevel::kInfo, "server.listening",
        {{"url", own_url},
         {"admin_url", admin_url},
         {"public_url", public_url_},
         {"data", settings_.data},
         {"apis", static_cast<std::int64_t>(catalog->apis().size())}});
    return Ok{};
  }

  void run() {
    store_answered_ns_ = system_clock().monotonic_ns();
    keep_house();
    await_signal();
    loop_.run();
    // No request is under way any more. What the threads still hold is done, and the last counts are stored.
    files_.stop();
    packages_.stop();
    control_.stop();
    store_last_usage();
    log(LogLevel::kInfo, "server.stopped");
  }

 private:
  void store_last_usage() {
    const std::vector<UsageRow> rows = base_.counters->all_rows();
    const Status stored = usage_.put(usage_records(rows));
    if (stored.ok())
      base_.counters->on_stored(rows);
    else
      log(LogLevel::kWarning, "usage.stored_at_next_start", {{"error", describe(stored.error())}});
    const Status time_stored = usage_.put_instance_time(plane_.close_instance_time());
    if (!time_stored.ok())
      log(LogLevel::kWarning, "instance_time.not_stored", {{"error", describe(time_stored.error())}});
  }

  /// Control thread, again and again.
  void keep_house() {
    control_.post([this] {
      const WallUs now_us = system_clock().wall_us();
      const Status looked = base_.store->forget_idempotency(now_us - kIdempotencyKeptUs);
      if (looked.ok()) store_answered_ns_ = system_clock().monotonic_ns();
      const Status removed = jobs_.remove_abandoned(now_us - kAbandonedJobUs);
      if (!looked.ok() || !removed.ok())
        log(LogLevel::kWarning, "housekeeping.failed",
            {{"error", describe(looked.ok() ? removed.error() : looked.error())}});
      control_.post_after(kHousekeepingMs, [this] { keep_house(); });
    });
  }

  std::string not_ready_reason() const {
    const MonotonicNs now_ns = system_clock().monotonic_ns();
    if (now_ns - store_answered_ns_ > kReadyNs) return "the store does not answer";
    const MonotonicNs probe_ns = host_->last_probe_ns();
    if (probe_ns == 0 || now_ns - probe_ns > kReadyNs) return "no worker has answered lately";
    return {};
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& failure, int signal) {
      if (failure) return;
      if (draining_) return loop_.stop();  // whoever asks twice does not want to wait
      draining_ = true;
      log(LogLevel::kInfo, "server.stopping", {{"signal", signal}});
      http_->drain(limits::kStopDeadlineMs - kTakeDownMs, [this] { loop_.stop(); });
      await_signal();
    });
  }

  const Settings& settings_;
  Foundation& base_;
  Accounts accounts_;
  Jobs jobs_;
  Apis apis_;
  Versions versions_;
  Usage usage_;
  EventLoop loop_;
  TaskThread control_{"noren-control"};
  TaskThread files_{"noren-files"};
  TaskThread packages_{"noren-packages"};
  std::unique_ptr<InstanceHost> host_;
  LoopServing serving_;
  ControlQuota quota_;
  DataPlane plane_;
  std::unique_ptr<ManagementService> management_;
  std::unique_ptr<HttpServer> http_;
  boost::asio::signal_set signals_;
  std::string public_url_;
  std::atomic<MonotonicNs> store_answered_ns_{0};
  bool draining_ = false;
};

LogLevel log_level_of(const std::string& word) {
  if (word == "debug") return LogLevel::kDebug;
  if (word == "warning") return LogLevel::kWarning;
  return word == "error" ? LogLevel::kError : LogLevel::kInfo;
}

}  // namespace

Status run_server(const Settings& settings) {
  configure_log(log_level_of(settings.log_level),
                settings.log_format == "json" ? LogFormat::kJson : LogFormat::kText);
  prepare_process();
  if (const std::string reason = gpu_unavailable_reason(settings.gpu_runtime);
      !settings.gpu_runtime.empty() && !reason.empty())
    log(LogLevel::kWarning, "gpu.unavailable", {{"reason", reason}});
  // First: a server without its worker program touches nothing.
  ASSIGN_OR_RETURN(const std::shared_ptr<GreetedZygote> zygote, start_worker_program(host_options(settings)));
  ASSIGN_OR_RETURN(const std::unique_ptr<Foundation> base, lay_foundation(settings));
  ServerProcess process(settings, *base, zygote);
  TRY(process.open());
  process.run();
  return Ok{};
}

}  // namespace noren::app
