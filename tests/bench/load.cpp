// A load generator for loopback: closed loop (each connection sends when it has its answer) or open loop
// (requests start at a constant rate, and latency counts from when a request was due, so a slow server can't
// hide). One thread, epoll, no allocation per request. Prints one JSON object.
//
//   load --port 8080 --path /v1/… --key K --body body.json --connections 32 --seconds 5 [--warm-up 1]
//        [--rate 20000 --give-up-ms 1000]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace {

std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct Options {
  int port = 8080, connections = 1;
  double seconds = 5, warm_up_seconds = 1, rate = 0;
  int give_up_ms = 1000;
  std::string path = "/", key, body_file, method = "POST";
};

struct Connection {
  int fd = -1;
  bool busy = false;
  std::int64_t due_ns = 0;
  std::string received;
  std::size_t expected = 0;  ///< bytes of the whole answer once its head is known
  int status = 0;
};

/// Latencies by outcome, in nanoseconds.
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
  explicit Load(const Options& options) : options_(options), epoll_(epoll_create1(0)) {
    std::ifstream file(options.body_file, std::ios::binary);
    const std::string body{std::istreambuf_iterator<char>(file), {}};
    request_ = options.method + " " + options.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    if (!options.key.empty()) request_ += "x-api-key: " + options.key + "\r\n";
    if (options.method == "POST")
      request_ += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    request_ += "\r\n" + body;
  }

  int run() {
    const int count = options_.rate > 0 ? std::max(options_.connections, 1) : options_.connections;
    connections_.resize(static_cast<std::size_t>(count));
    for (Connection& connection : connections_)
      if (!open(connection)) return 1;
    start_ns_ = now_ns();
    const std::int64_t measured_from = start_ns_ + seconds(options_.warm_up_seconds);
    end_ns_ = measured_from + seconds(options_.seconds);
    measured_from_ns_ = measured_from;
    if (options_.rate <= 0)
      for (Connection& connection : connections_) send(connection, now_ns());
    loop();
    print();
    return 0;
  }

 private:
  static std::int64_t seconds(double value) { return static_cast<std::int64_t>(value * 1e9); }

  bool open(Connection& connection) {
    connection = Connection{};
    connection.fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      std::perror("connect");
      return false;
    }
    const int one = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<std::uint64_t>(&connection - connections_.data());
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    return true;
  }

  void reopen(Connection& connection) {
    close(connection.fd);
    if (!open(connection)) connection.fd = -1;
  }

  void send(Connection& connection, std::int64_t due_ns) {
    connection.busy = true;
    connection.due_ns = due_ns;
    connection.received.clear();
    connection.expected = 0;
    std::size_t sent = 0;
    while (sent < request_.size()) {
      const ssize_t n = ::send(connection.fd, request_.data() + sent, request_.size() - sent, MSG_NOSIGNAL);
      if (n > 0) {
        sent += static_cast<std::size_t>(n);
      } else if (errno != EAGAIN && errno != EINTR) {
        return broken(connection);
      }
    }
  }

  void broken(Connection& connection) {
    if (counts(connection)) ++outcomes_.broken;
    reopen(connection);
  }

  bool counts(const Connection& connection) const {
    return connection.busy && connection.due_ns >= measured_from_ns_ && connection.due_ns < end_ns_;
  }

  void receive(Connection& connection) {
    char buffer[65536];
    while (true) {
      const ssize_t n = recv(connection.fd, buffer, sizeof buffer, 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return broken(connection);
      connection.received.append(buffer, static_cast<std::size_t>(n));
      if (complete(connection)) return finished(connection);
    }
  }

  static bool complete(Connection& connection) {
    std::string& text = connection.received;
    if (connection.expected == 0) {
      const std::size_t head = text.find("\r\n\r\n");
      if (head == std::string::npos) return false;
      std::string lower = text.substr(0, head);
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](unsigned char c) { return std::tolower(c); });
      const std::size_t length = lower.find("content-length:");
      const std::size_t body =
          length == std::string::npos ? 0 : std::strtoull(lower.c_str() + length + 15, nullptr, 10);
      connection.expected = head + 4 + body;
      connection.status = std::atoi(text.c_str() + 9);
    }
    return text.size() >= connection.expected;
  }

  void finished(Connection& connection) {
    const std::int64_t now = now_ns();
    if (counts(connection)) outcomes_.by_status[connection.status].push_back(now - connection.due_ns);
    connection.busy = false;
    const bool closes = connection.received.find("onnection: close") < connection.expected;
    if (closes) reopen(connection);
    if (options_.rate <= 0 && now < end_ns_ && connection.fd >= 0) send(connection, now);
  }

  /// Open loop: starts what is due on idle connections, and gives up what waited too long.
  void start_due() {
    const std::int64_t now = now_ns();
    for (Connection& connection : connections_)
      if (connection.busy && now - connection.due_ns > std::int64_t{options_.give_up_ms} * 1'000'000) {
        if (counts(connection)) ++outcomes_.given_up;
        connection.busy = false;
        reopen(connection);
      }
    const double interval_ns = 1e9 / options_.rate;
    std::size_t next_idle = 0;
    while (true) {
      const std::int64_t due =
          start_ns_ + static_cast<std::int64_t>(static_cast<double>(started_) * interval_ns);
      if (due > now || due >= end_ns_) return;
      ++started_;
      while (next_idle < connections_.size() &&
             (connections_[next_idle].busy || connections_[next_idle].fd < 0))
        ++next_idle;
      if (next_idle < connections_.size())
        send(connections_[next_idle], due);
      else if (due >= measured_from_ns_)
        ++outcomes_.not_sent;
    }
  }

  bool any_busy() const {
    return std::any_of(connections_.begin(), connections_.end(), [](const Connection& c) { return c.busy; });
  }

  void loop() {
    std::vector<epoll_event> events(1024);
    const std::int64_t last_ns = end_ns_ + std::int64_t{options_.give_up_ms} * 1'000'000 + 1'000'000'000;
    while (now_ns() < end_ns_ || (any_busy() && now_ns() < last_ns)) {
      if (options_.rate > 0) start_due();
      const int ready =
          epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), options_.rate > 0 ? 0 : 100);
      for (int i = 0; i < ready; ++i) receive(connections_[events[static_cast<std::size_t>(i)].data.u64]);
    }
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
  int epoll_;
  std::string request_;
  std::vector<Connection> connections_;
  Outcomes outcomes_;
  std::int64_t start_ns_ = 0, measured_from_ns_ = 0, end_ns_ = 0, started_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
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
  CLI11_PARSE(app, argc, argv);
  return Load(options).run();
}
