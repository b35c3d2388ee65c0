// One connection of the load generator: sends a request, takes its answer apart as far as needed. Plain or
// TLS. A request is written whole (it waits where the socket is full), an answer comes as it comes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>
#include <time.h>

namespace noren::bench {

inline std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct TlsDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using ClientTls = std::unique_ptr<SSL_CTX, TlsDeleter>;
ClientTls make_client_tls();

class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Anew, where it was open. `tls` may be null.
  bool open(int port, SSL_CTX* tls);
  /// False: the connection is gone.
  bool send(std::string_view request);
  enum class Progress : std::uint8_t { kMore, kWhole, kBroken };
  Progress receive();

  int fd() const { return fd_; }
  int status() const { return status_; }
  /// Whether the server said that it closes behind this answer.
  bool closes() const { return closes_; }

  std::int64_t due_ns = 0;  ///< of the request under way; 0: none is

 private:
  bool connect(int port);
  long write_some(std::string_view bytes);
  long read_some(char* to, std::size_t size);
  bool is_whole();
  void read_head(std::size_t head_bytes);

  int fd_ = -1;
  std::unique_ptr<SSL, TlsDeleter> session_;
  std::string received_;
  std::size_t expected_bytes_ = 0;  ///< of the whole answer, once its head is there
  int status_ = 0;
  bool closes_ = false;
};

}  // namespace noren::bench
