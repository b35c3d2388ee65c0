// A load generator for loopback: closed loop (each connection sends when it has its answer) or open loop
// (requests start at a constant rate, and latency counts from when a request was due, so a slow server can't
// hide). One thread, epoll, no allocation per request in the steady state. Prints one JSON object.
//
//   noren_load --port 8080 --path /v1/… --key K --body body.json --connections 32 --seconds 5 [--warm-up 1]
//              [--rate 20000 --give-up-ms 1000] [--tls]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <unistd.h>

#include "load_connection.h"

namespace noren::bench {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSleepPaysNs = 100'000;

struct Options {
  int port = 8080, connections = 1;
  double seconds = 5, warm_up_seconds = 1, rate = 0;
  int give_up_ms = 1000;
  bool tls = false;
  std::string path = "/", key, body_file, method = "POST";
};

std::string request_of(const Options& options) {
  std::ifstream file(options.body_file, std::ios::binary);
  const std::string body{std::istreambuf_iterator<char>(file), {}};
  std::string request = options.method + " " + options.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  if (!options.key.empty()) request += "x-api-key: " + options.key + "\r\n";
  if (options.method == "POST")
    request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return request + "\r\n" + body;
}

/// Latencies by status, in nanoseconds, of the requests that were due while it counts.
struct Outcomes {
  std::map<int, std::vector<std::int64_t>> by_status;
  std::int64_t given_up = 0, broken = 0, not_sent = 0;
};

std::int64_t percentile(std::vector<std::int64_t>& values, double share) {
  if (values.empty()) return 0;
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
  return values[index];
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        request_(request_of(options)),
        give_up_ns_(std::int64_t{options.give_up_ms} * 1'000'000),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        tls_(options.tls ? make_client_tls() : nullptr) {}

  int run() {
    for (int i = 0; i < options_.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>());
      if (!open(static_cast<std::size_t>(i))) return 1;
    }
    start_ns_ = now_ns();
    counted_from_ns_ = start_ns_ + nanoseconds(options_.warm_up_seconds);
    end_ns_ = counted_from_ns_ + nanoseconds(options_.seconds);
    if (options_.rate <= 0)
      for (std::size_t i = 0; i < connections_.size(); ++i) send(i, now_ns());
    else
      for (std::size_t i = connections_.size(); i-- > 0;) idle_.push_back(i);
    loop();
    print();
    return 0;
  }

 private:
  struct Sent {
    std::size_t index;
    std::int64_t due_ns;
  };
  static std::int64_t nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }
  bool is_open_loop() const { return options_.rate > 0; }
  bool counts(std::int64_t due_ns) const { return due_ns >= counted_from_ns_ && due_ns < end_ns_; }

  bool open(std::size_t index) {
    Connection& connection = *connections_[index];
    if (!connection.open(options_.port, tls_.get())) return false;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd(), &event) == 0;
  }

  void send(std::size_t index, std::int64_t due_ns) {
    Connection& connection = *connections_[index];
    connection.due_ns = due_ns;
    ++busy_count_;
    if (is_open_loop()) sent_.push_back({index, due_ns});
    if (!connection.send(request_)) broken(index);
  }

  void broken(std::size_t index) {
    Connection& connection = *connections_[index];
    if (connection.due_ns != 0) {
      if (counts(connection.due_ns)) ++outcomes_.broken;
      connection.due_ns = 0;
      --busy_count_;
      if (is_open_loop()) idle_.push_back(index);
    }
    if (!open(index)) std::exit(2);
    if (!is_open_loop() && now_ns() < end_ns_) send(index, now_ns());
  }

  void receive(std::size_t index) {
    Connection& connection = *connections_[index];
    const Connection::Progress progress = connection.receive();
    if (progress == Connection::Progress::kMore) return;
    if (progress == Connection::Progress::kBroken) return broken(index);
    const std::int64_t now = now_ns();
    if (counts(connection.due_ns))
      outcomes_.by_status[connection.status()].push_back(now - connection.due_ns);
    connection.due_ns = 0;
    --busy_count_;
    if (connection.closes() && !open(index)) std::exit(2);
    if (is_open_loop()) return idle_.push_back(index);
    if (now < end_ns_) send(index, now);
  }

  /// Open loop: gives up what waited too long, and starts what is due on idle connections.
  void start_due() {
    const std::int64_t now = now_ns();
    for (; !sent_.empty() && now - sent_.front().due_ns > give_up_ns_; sent_.pop_front()) {
      const Sent& oldest = sent_.front();
      if (connections_[oldest.index]->due_ns != oldest.due_ns) continue;  // it was answered
      if (counts(oldest.due_ns)) ++outcomes_.given_up;
      connections_[oldest.index]->due_ns = 0;
      --busy_count_;
      idle_.push_back(oldest.index);
      if (!open(oldest.index)) std::exit(2);
    }
    const double interval_ns = 1e9 / options_.rate;
    while (true) {
      const std::int64_t due =
          start_ns_ + static_cast<std::int64_t>(static_cast<double>(started_) * interval_ns);
      if (due > now || due >= end_ns_) return;
      ++started_;
      if (!idle_.empty()) {
        const std::size_t index = idle_.back();
        idle_.pop_back();
        send(index, due);
      } else if (counts(due)) {
        ++outcomes_.not_sent;
      }
    }
  }

  /// Until something comes, or the next request is due: at high rates there is no time to sleep.
  int wait(std::vector<epoll_event>& events) {
    const int size = static_cast<int>(events.size());
    if (!is_open_loop()) return epoll_wait(epoll_, events.data(), size, 100);
    const double due = static_cast<double>(started_) * 1e9 / options_.rate;
    const std::int64_t left_ns = start_ns_ + static_cast<std::int64_t>(due) - now_ns();
    if (left_ns < kSleepPaysNs) return epoll_wait(epoll_, events.data(), size, 0);
    const timespec timeout{0, std::min<std::int64_t>(left_ns - kSleepPaysNs / 2, kNsPerSecond / 100)};
    return epoll_pwait2(epoll_, events.data(), size, &timeout, nullptr);
  }

  void loop() {
    std::vector<epoll_event> events(256);
    const std::int64_t last_ns = end_ns_ + give_up_ns_ + kNsPerSecond;
    for (std::int64_t now = now_ns(); now < end_ns_ || (busy_count_ > 0 && now < last_ns); now = now_ns()) {
      if (is_open_loop()) start_due();
      const int ready = wait(events);
      for (int i = 0; i < ready; ++i) receive(events[static_cast<std::size_t>(i)].data.u64);
    }
    outcomes_.given_up += static_cast<std::int64_t>(busy_count_);
  }

  void print() {
    std::string statuses;
    std::size_t answered = 0, good = 0;
    for (auto& [status, latencies] : outcomes_.by_status) {
      answered += latencies.size();
      if (status == 200) good = latencies.size();
      char row[256];
      std::snprintf(row, sizeof row,
                    R"(%s"%d":{"count":%zu,"p50_us":%.1f,"p90_us":%.1f,"p99_us":%.1f,"max_us":%.1f})",
                    statuses.empty() ? "" : ",", status, latencies.size(), percentile(latencies, 0.5) / 1e3,
                    percentile(latencies, 0.9) / 1e3, percentile(latencies, 0.99) / 1e3,
                    percentile(latencies, 1) / 1e3);
      statuses += row;
    }
    std::printf(R"({"connections":%zu,"rate":%.0f,"seconds":%.1f,"per_second":%.1f,"good_per_second":%.1f,)"
                R"("given_up":%ld,"broken":%ld,"not_sent":%ld,"status":{%s}})"
                "\n",
                connections_.size(), options_.rate, options_.seconds,
                static_cast<double>(answered) / options_.seconds,
                static_cast<double>(good) / options_.seconds, static_cast<long>(outcomes_.given_up),
                static_cast<long>(outcomes_.broken), static_cast<long>(outcomes_.not_sent), statuses.c_str());
  }

  Options options_;
  std::string request_;
  std::int64_t give_up_ns_;
  int epoll_;
  ClientTls tls_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::size_t> idle_;  ///< open loop: connections without a request
  std::deque<Sent> sent_;          ///< open loop, in the order of their times
  std::size_t busy_count_ = 0;
  Outcomes outcomes_;
  std::int64_t start_ns_ = 0, counted_from_ns_ = 0, end_ns_ = 0, started_ = 0;
};

}  // namespace
}  // namespace noren::bench

int main(int argc, char** argv) {
  noren::bench::Options options;
  CLI::App app{"Load on a server on 127.0.0.1"};
  app.add_option("--port", options.port)->required();
  app.add_option("--path", options.path);
  app.add_option("--method", options.method);
  app.add_option("--key", options.key);
  app.add_option("--body", options.body_file);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 20000));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.1, 3600.0));
  app.add_option("--warm-up", options.warm_up_seconds);
  app.add_option("--rate", options.rate, "Requests a second; 0: closed loop");
  app.add_option("--give-up-ms", options.give_up_ms);
  app.add_flag("--tls", options.tls, "TLS; the server's certificate is not checked");
  CLI11_PARSE(app, argc, argv);
  return noren::bench::Load(options).run();
}
