// TLS over memory BIOs: OpenSSL never sees the socket, so reads and writes keep the shape that plain ones
// have.
#include <cerrno>
#include <vector>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/check.h"
#include "server/http/listener/stream.h"

namespace noren::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kCipherBufferBytes = 4096;
constexpr std::size_t kCipherBufferLargeBytes = 32 * 1024;  // once somebody reads into large buffers

class TlsStream final : public ByteStream {
 public:
  TlsStream(tcp::socket socket, StreamOwner& owner, const TlsContext& context)
      : socket_(std::move(socket)), owner_(owner), ssl_(SSL_new(context.native()), SSL_free) {
    CHECK(ssl_ != nullptr);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    CHECK(in_ != nullptr && out_ != nullptr);
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);  // takes both over
    SSL_set_accept_state(ssl_.get());
    cipher_.resize(kCipherBufferBytes);
  }

  void start_handshake() override { receive_cipher(); }

  std::size_t take_pending(char* data, std::size_t size) override {
    if (!SSL_is_init_finished(ssl_.get())) return 0;
    std::size_t count = 0;
    ERR_clear_error();
    const bool got = SSL_read_ex(ssl_.get(), data, size, &count) == 1;
    flush_cipher();  // key updates are answered from here
    return got ? count : 0;
  }

  void start_read(char* data, std::size_t size) override {
    target_ = data;
    target_size_ = size;
    if (size > kCipherBufferLargeBytes && cipher_.size() < kCipherBufferLargeBytes)
      cipher_.resize(kCipherBufferLargeBytes);
    receive_cipher();
  }

  WriteProgress write_now(std::string_view first, std::string_view second) override {
    WriteProgress progress;
    if (!flush_cipher()) return {0, true, false};
    for (const std::string_view part : {first, second}) {
      std::size_t offset = 0;
      while (offset < part.size() && cipher_out_.empty()) {
        std::size_t count = 0;
        ERR_clear_error();
        if (SSL_write_ex(ssl_.get(), part.data() + offset, part.size() - offset, &count) != 1)
          return {0, true, false};
        offset += count;
        progress.count += count;
        // Head and body of a small answer leave in one piece: the socket is not touched in between.
        const bool more_follows = part.data() == first.data() && !second.empty() && offset == part.size();
        if (!more_follows && !flush_cipher()) return {progress.count, true, false};
      }
    }
    if (!flush_cipher()) progress.gone = true;
    progress.held = !cipher_out_.empty();
    return progress;
  }

  void start_wait_writable() override {
    socket_.async_wait(tcp::socket::wait_write,
                       [owner = boost::intrusive_ptr<StreamOwner>(&owner_), this](const error_code& error) {
                         owner->on_writable(!error && flush_cipher() ? Alive::kYes : Alive::kNo);
                       });
  }

  void shutdown_send() override {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    flush_cipher();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    if (!closed_ && SSL_is_init_finished(ssl_.get())) {
      ERR_clear_error();
      SSL_shutdown(ssl_.get());
      flush_cipher();
    }
    closed_ = true;
    socket_.close(ignored);
  }

  bool is_gone() override {
    pollfd poll{socket_.native_handle(), 0, 0};
    return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  }

 private:
  void receive_cipher() {
    socket_.async_read_some(asio::buffer(cipher_), [owner = boost::intrusive_ptr<StreamOwner>(&owner_), this](
                                                       const error_code& error, std::size_t count) {
      if (closed_) return owner->on_read(ReadEnd::kReset, 0);
      if (error) return ended(error == asio::error::eof ? ReadEnd::kEnd : ReadEnd::kReset);
      BIO_write(in_, cipher_.data(), static_cast<int>(count));
      if (target_ == nullptr) return shake_hands();
      decrypt();
    });
  }

  void ended(ReadEnd end) {
    if (target_ == nullptr) return owner_.on_handshake_done(Alive::kNo);
    target_ = nullptr;
    owner_.on_read(end, 0);
  }

  void shake_hands() {
    ERR_clear_error();
    const int result = SSL_accept(ssl_.get());
    const int reason = SSL_get_error(ssl_.get(), result);
    if (!flush_cipher()) return owner_.on_handshake_done(Alive::kNo);
    if (result == 1) return owner_.on_handshake_done(Alive::kYes);
    if (reason == SSL_ERROR_WANT_READ) return receive_cipher();
    owner_.on_handshake_done(Alive::kNo);
  }

  void decrypt() {
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), target_, target_size_, &count);
    const int reason = SSL_get_error(ssl_.get(), result);
    if (!flush_cipher()) return ended(ReadEnd::kReset);
    if (result == 1) {
      target_ = nullptr;
      return owner_.on_read(ReadEnd::kBytes, count);
    }
    if (reason == SSL_ERROR_WANT_READ) return receive_cipher();
    ended(reason == SSL_ERROR_ZERO_RETURN ? ReadEnd::kEnd : ReadEnd::kReset);
  }

  /// Sends what OpenSSL wrote; what the socket does not take stays in cipher_out_. False: the connection is
  /// gone.
  bool flush_cipher() {
    for (;;) {
      if (cipher_out_.empty()) {
        char* data = nullptr;
        const long size = BIO_get_mem_data(out_, &data);
        if (size <= 0) return true;
        cipher_out_.assign(data, data + size);
        static_cast<void>(BIO_reset(out_));
      }
      const ssize_t sent = ::send(socket_.native_handle(), cipher_out_.data(), cipher_out_.size(),
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
      cipher_out_.erase(cipher_out_.begin(), cipher_out_.begin() + sent);
      if (!cipher_out_.empty()) return true;
    }
  }

  tcp::socket socket_;
  StreamOwner& owner_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  BIO* in_ = nullptr;  // both belong to ssl_
  BIO* out_ = nullptr;
  std::vector<char> cipher_;
  std::vector<char> cipher_out_;
  char* target_ = nullptr;
  std::size_t target_size_ = 0;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> make_tls_stream(tcp::socket socket, StreamOwner& owner,
                                            const TlsContext& context) {
  return std::make_unique<TlsStream>(std::move(socket), owner, context);
}

}  // namespace noren::server
