#include "server/instances/local/frame_stream.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace noren::server {

namespace asio = boost::asio;
using boost::system::error_code;

FrameStream::FrameStream(asio::io_context& io, UniqueFd socket, std::size_t payload_limit_bytes,
                         link::Descriptors descriptors)
    : socket_(io, asio::local::stream_protocol(), socket.release()),
      reader_(payload_limit_bytes),
      descriptors_(descriptors) {}

void FrameStream::start(std::shared_ptr<FrameReceiver> receiver) {
  receiver_ = std::move(receiver);
  read();
}

void FrameStream::read() {
  if (descriptors_ == link::Descriptors::kAccept) return read_with_descriptors();
  // A plain receive: descriptors that a worker might send are dropped by the kernel.
  const std::span<std::uint8_t> room = reader_.writable();
  socket_.async_receive(asio::buffer(room.data(), room.size()),
                        [self = shared_from_this()](const error_code& error, std::size_t count) {
                          if (self->receiver_ == nullptr) return;
                          if (error) return self->end({});
                          self->reader_.commit(count);
                          self->deliver();
                        });
}

void FrameStream::read_with_descriptors() {
  socket_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](const error_code& error) {
    if (self->receiver_ == nullptr) return;
    if (error) return self->end({});
    const auto received = link::receive(self->socket_.native_handle(), self->reader_, link::Wait::kNever,
                                        link::Descriptors::kAccept);
    if (!received.ok()) return self->end(received.error().detail);
    if (*received == link::Received::kEnd) return self->end({});
    self->deliver();
  });
}

void FrameStream::deliver() {
  while (receiver_ != nullptr) {
    auto frame = reader_.next();
    if (!frame.ok()) return end(frame.error().detail);
    if (!frame->has_value()) break;
    // The receiver may close this stream, and drop itself, from inside its callback.
    const std::shared_ptr<FrameReceiver> receiver = receiver_;
    const Status taken = receiver->on_frame(**frame, reader_.payload(**frame));
    if (!taken.ok()) return end(taken.error().detail);
  }
  if (receiver_ == nullptr) return;
  reader_.release_taken();
  read();
}

void FrameStream::end(const std::string& why) {
  const std::shared_ptr<FrameReceiver> receiver = std::move(receiver_);
  close();
  if (receiver != nullptr) receiver->on_end(why);
}

void FrameStream::close() {
  receiver_ = nullptr;
  writer_ = link::FrameWriter();
  error_code ignored;
  socket_.close(ignored);
}

void FrameStream::flush_soon() {
  if (flush_posted_ || write_waits_) return;
  flush_posted_ = true;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void FrameStream::flush_now() {
  if (!write_waits_) flush();
}

void FrameStream::flush() {
  if (!socket_.is_open()) return;
  const auto sent = link::send(socket_.native_handle(), writer_, link::Wait::kNever);
  // Where the peer is gone, reading says so.
  if (!sent.ok() || *sent != link::Sent::kPart) return;
  write_waits_ = true;
  socket_.async_wait(asio::socket_base::wait_write, [self = shared_from_this()](const error_code& error) {
    self->write_waits_ = false;
    if (!error) self->flush();
  });
}

}  // namespace noren::server
