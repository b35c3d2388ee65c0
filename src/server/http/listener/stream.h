// A connection's bytes, plain or TLS, behind one small interface. Everything runs on the event loop.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include "server/http/listener/tls_context.h"

namespace noren::server {

enum class ReadEnd : std::uint8_t {
  kBytes,
  kEnd,    ///< the other side sends no more; it may still read
  kReset,  ///< the connection is gone
};

enum class Alive : std::uint8_t { kNo, kYes };

/// Who owns a stream and is told what happens; kept alive by what is under way.
class StreamOwner : public boost::intrusive_ref_counter<StreamOwner, boost::thread_unsafe_counter> {
 public:
  virtual ~StreamOwner() = default;
  virtual void on_handshake_done(Alive alive) = 0;
  virtual void on_read(ReadEnd end, std::size_t count) = 0;
  virtual void on_writable(Alive alive) = 0;
};

struct WriteProgress {
  std::size_t count = 0;
  bool gone = false;
  bool held = false;  ///< taken, but some of it is still in the stream: wait until writable, then write again
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// on_handshake_done follows (plain streams need none and are never asked).
  virtual void start_handshake() = 0;
  /// What is decrypted already; 0 most of the time. No on_read follows.
  virtual std::size_t take_pending(char* data, std::size_t size) = 0;
  /// One at a time; `data` stays until on_read.
  virtual void start_read(char* data, std::size_t size) = 0;
  /// Hands over what fits now, `first` before `second`.
  virtual WriteProgress write_now(std::string_view first, std::string_view second) = 0;
  /// After a write that did not take everything: on_writable follows.
  virtual void start_wait_writable() = 0;
  /// No more will be sent.
  virtual void shutdown_send() = 0;
  virtual void close() = 0;
  /// Whether the other side has reset the connection, without reading.
  virtual bool is_gone() = 0;
};

/// `owner` outlives the stream (it holds it).
std::unique_ptr<ByteStream> make_plain_stream(boost::asio::ip::tcp::socket socket, StreamOwner& owner);
std::unique_ptr<ByteStream> make_tls_stream(boost::asio::ip::tcp::socket socket, StreamOwner& owner,
                                            const TlsContext& context);

}  // namespace noren::server
