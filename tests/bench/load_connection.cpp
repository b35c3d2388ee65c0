#include "load_connection.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace noren::bench {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;

/// The value of a header field, or nothing. Names differ in case from server to server.
std::string_view field_of(std::string_view head, std::string_view name) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  const auto found = std::search(head.begin(), head.end(), name.begin(), name.end(), same);
  if (found == head.end()) return {};
  std::string_view rest = head.substr(static_cast<std::size_t>(found - head.begin()) + name.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest.substr(0, rest.find('\r'));
}

}  // namespace

ClientTls make_client_tls() {
  ClientTls context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

bool Connection::connect(int port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
  std::perror("connect");
  return false;
}

bool Connection::open(int port, SSL_CTX* tls) {
  session_.reset();
  if (fd_ >= 0) ::close(fd_);
  received_.clear();
  expected_bytes_ = 0;
  if (!connect(port)) return false;
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (tls != nullptr) {
    session_.reset(SSL_new(tls));
    if (SSL_set_fd(session_.get(), fd_) != 1 || SSL_connect(session_.get()) != 1) return false;
  }
  return ::fcntl(fd_, F_SETFL, O_NONBLOCK) == 0;
}

// Both give what was moved, 0 at the end or when it broke, -1 when nothing moves now.
long Connection::write_some(std::string_view bytes) {
  if (session_) {
    const int count = SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (count > 0) return count;
    const int error = SSL_get_error(session_.get(), count);
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? -1 : 0;
  }
  const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return count >= 0 ? count : (errno == EAGAIN || errno == EINTR ? -1 : 0);
}

long Connection::read_some(char* to, std::size_t size) {
  if (session_) {
    const int count = SSL_read(session_.get(), to, static_cast<int>(size));
    if (count > 0) return count;
    const int error = SSL_get_error(session_.get(), count);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
  }
  const ssize_t count = ::recv(fd_, to, size, 0);
  return count >= 0 ? count : (errno == EAGAIN || errno == EINTR ? -1 : 0);
}

bool Connection::send(std::string_view request) {
  received_.clear();
  expected_bytes_ = 0;
  while (!request.empty()) {
    const long count = write_some(request);
    if (count == 0) return false;
    if (count > 0) {
      request.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    pollfd poll{fd_, POLLOUT, 0};
    ::poll(&poll, 1, 100);
  }
  return true;
}

Connection::Progress Connection::receive() {
  char buffer[kReadBytes];
  while (true) {
    const long count = read_some(buffer, sizeof buffer);
    if (count < 0) return Progress::kMore;
    if (count == 0) return Progress::kBroken;
    if (due_ns == 0) continue;  // of an answer that nobody waits for
    received_.append(buffer, static_cast<std::size_t>(count));
    if (is_whole()) return Progress::kWhole;
  }
}

bool Connection::is_whole() {
  if (expected_bytes_ == 0) {
    const std::size_t end = received_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    read_head(end + 4);
  }
  return received_.size() >= expected_bytes_;
}

void Connection::read_head(std::size_t head_bytes) {
  const std::string_view head = std::string_view(received_).substr(0, head_bytes);
  const std::string_view length = field_of(head, "\ncontent-length:");
  expected_bytes_ = head_bytes + std::strtoull(length.data() != nullptr ? length.data() : "0", nullptr, 10);
  status_ = std::atoi(head.data() + 9);
  closes_ = field_of(head, "\nconnection:") == "close";
}

}  // namespace noren::bench
