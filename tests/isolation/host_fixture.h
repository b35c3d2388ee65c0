// tests/isolation/host_fixture.h - A local host with the toy worker, a loop to drive it, and a listener that
// remembers.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "base/bytes.h"
#include "server/instances/local/local_host.h"

namespace noren::server {

struct Remembering final : InstanceListener {
  std::optional<LoadReport> ready;
  std::map<std::uint64_t, CallOutcome> outcomes;
  std::optional<ExitReport> exit;
  std::int64_t memory_bytes = 0;
  int callbacks_after_exit = 0;

  void on_ready(const LoadReport& report) override {
    callbacks_after_exit += exit.has_value() ? 1 : 0;
    ready = report;
  }
  void on_outcome(std::uint64_t call_id, CallOutcome outcome) override {
    callbacks_after_exit += exit.has_value() ? 1 : 0;
    EXPECT_FALSE(outcomes.contains(call_id));
    outcomes[call_id] = std::move(outcome);
  }
  void on_memory(std::int64_t private_bytes) override { memory_bytes = private_bytes; }
  void on_exit(const ExitReport& report) override {
    callbacks_after_exit += exit.has_value() ? 1 : 0;
    exit = report;
  }
};

inline RequestBody body_with(std::string text) {
  RequestBody body;
  body.size_bytes = text.size();
  body.inline_bytes = std::move(text);
  body.limit_bytes = 1 << 20;
  return body;
}

inline std::shared_ptr<const UniqueFd> package_with(std::string_view text) {
  return std::make_shared<UniqueFd>(sealed_memfd("package", bytes_of(text)).value());
}

/// The priorities ("nice") of a process's threads, in order.
inline std::vector<int> priorities_of(pid_t pid) {
  std::vector<int> found;
  std::error_code gone;
  const auto tasks = std::filesystem::path("/proc") / std::to_string(pid) / "task";
  for (const auto& entry : std::filesystem::directory_iterator(tasks, gone)) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
    std::string field;
    for (int index = 0; index < 17; ++index) fields >> field;  // the 19th of all
    found.push_back(std::atoi(field.c_str()));
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// "S 1234 …": a process's state, its parent and more. Empty where it is gone.
inline std::string status_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  return name_end == std::string::npos ? std::string() : line.substr(name_end + 2);
}

/// The processes whose parent is this one.
inline std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    const std::string status = status_of(pid);
    if (status.size() > 2 && std::atoi(status.c_str() + 2) == parent) children.push_back(pid);
  }
  return children;
}

/// The zygote of this test's host: its only child. Tests run one host at a time.
inline pid_t zygote() {
  const auto children = children_of(::getpid());
  EXPECT_EQ(children.size(), 1U);
  return children.size() == 1 ? children[0] : 0;
}

class HostTest : public ::testing::Test {
 protected:
  HostTest() : host(make_local_host(io, options())) {}

  static LocalHostOptions options() {
    LocalHostOptions options;
    options.worker_path = TOY_WORKER;
    options.probe_every_ms = 0;
    options.memory_limit_bytes = 512 << 20;
    options.inspect_memory_limit_bytes = 512 << 20;
    options.worker_errors = LocalHostOptions::WorkerErrors::kKeep;
    return options;
  }

  /// Turns the loop until it is so; false after a time that no working machine needs (ten times that under a
  /// sanitizer).
  bool until(const std::function<bool()>& done, int limit_s = 60) {
#ifdef NOREN_SANITIZED
    limit_s *= 10;
#endif
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(limit_s);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      if (io.stopped()) io.restart();
      io.run_one_for(std::chrono::milliseconds(50));
    }
    return true;
  }

  std::unique_ptr<Instance> start(InstanceListener& listener, std::string_view package = "toy",
                                  std::int64_t memory_limit_bytes = 0, int threads_count = 1) {
    InstanceSpec spec;
    spec.api_id = "toy";
    spec.package = package_with(package);
    spec.version_label = "20200707_051647035778";
    spec.memory_limit_bytes = memory_limit_bytes;
    spec.threads_count = threads_count;
    return host->start(std::move(spec), listener);
  }

  /// A version that is tried beside another one.
  std::unique_ptr<Instance> start_trial(InstanceListener& listener, std::string_view package,
                                        Priority priority = Priority::kIdle) {
    InstanceSpec spec;
    spec.api_id = "toy";
    spec.package = package_with(package);
    spec.version_label = "20200707_051647035779";
    spec.priority = priority;
    spec.try_sample = true;
    return host->start(std::move(spec), listener);
  }

  /// One call, and its answer's bytes; or how the worker ended.
  std::string ask(Instance& instance, Remembering& listener, const std::string& text) {
    const std::uint64_t id = ++next_call_;
    const RequestBody body = body_with(text);
    instance.call(id, body, 0);
    if (!until([&] { return listener.outcomes.contains(id) || listener.exit.has_value(); }))
      return "no answer";
    if (listener.outcomes.contains(id)) return listener.outcomes[id].bytes;
    return "ended by signal " + std::to_string(listener.exit->signal);
  }

  boost::asio::io_context io{1};
  std::unique_ptr<InstanceHost> host;
  std::uint64_t next_call_ = 0;
};

}  // namespace noren::server
