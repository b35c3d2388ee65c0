#include "server/http/listener/stream.h"

#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace noren::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

class PlainStream final : public ByteStream {
 public:
  PlainStream(tcp::socket socket, StreamOwner& owner) : socket_(std::move(socket)), owner_(owner) {}

  void start_handshake() override {}
  std::size_t take_pending(char*, std::size_t) override { return 0; }

  void start_read(char* data, std::size_t size) override {
    socket_.async_read_some(asio::buffer(data, size), [owner = boost::intrusive_ptr<StreamOwner>(&owner_)](
                                                          const error_code& error, std::size_t count) {
      if (!error) return owner->on_read(ReadEnd::kBytes, count);
      owner->on_read(error == asio::error::eof ? ReadEnd::kEnd : ReadEnd::kReset, 0);
    });
  }

  WriteProgress write_now(std::string_view first, std::string_view second) override {
    iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                      {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = first.empty() ? parts + 1 : parts;
    message.msg_iovlen = (first.empty() ? 0U : 1U) + (second.empty() ? 0U : 1U);
    if (message.msg_iovlen == 0) return {};
    for (;;) {
      const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) return {static_cast<std::size_t>(sent), false, false};
      if (errno == EINTR) continue;
      return {0, errno != EAGAIN && errno != EWOULDBLOCK, false};
    }
  }

  void start_wait_writable() override {
    socket_.async_wait(tcp::socket::wait_write,
                       [owner = boost::intrusive_ptr<StreamOwner>(&owner_)](const error_code& error) {
                         owner->on_writable(error ? Alive::kNo : Alive::kYes);
                       });
  }

  void shutdown_send() override {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

  bool is_gone() override {
    pollfd poll{socket_.native_handle(), 0, 0};
    return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  }

 private:
  tcp::socket socket_;
  StreamOwner& owner_;
};

}  // namespace

std::unique_ptr<ByteStream> make_plain_stream(tcp::socket socket, StreamOwner& owner) {
  return std::make_unique<PlainStream>(std::move(socket), owner);
}

}  // namespace noren::server
