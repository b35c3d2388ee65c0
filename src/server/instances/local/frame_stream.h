// server/instances/local/frame_stream.h - Frames over a socket on the event loop: reads as they come, writes
// once a turn. Used by the local host for its zygote and its workers, on the event loop's one thread. What
// isn't a frame ends the stream, never the server.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/local/stream_protocol.hpp>

#include "base/unique_fd.h"
#include "link/channel.h"

namespace noren::server {

class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  /// An error ends the stream: its detail goes to on_end.
  virtual Status on_frame(link::Frame& frame, ByteView payload) = 0;
  /// The peer has closed (empty), or said what is no frame (why). Comes once, and nothing after it.
  virtual void on_end(const std::string& why) = 0;
};

class FrameStream : public std::enable_shared_from_this<FrameStream> {
 public:
  FrameStream(boost::asio::io_context& io, UniqueFd socket, std::size_t payload_limit_bytes,
              link::Descriptors descriptors);

  void start(std::shared_ptr<FrameReceiver> receiver);
  /// Frames added here leave together at the end of this turn of the loop, once flush_soon() was called, or
  /// at once with flush_now().
  link::FrameWriter& writer() { return writer_; }
  void flush_soon();
  void flush_now();
  /// No callback follows. The peer sees the end.
  void close();

 private:
  void read();
  void read_with_descriptors();
  void deliver();
  void flush();
  void end(const std::string& why);

  boost::asio::local::stream_protocol::socket socket_;
  link::FrameReader reader_;
  link::FrameWriter writer_;
  link::Descriptors descriptors_;
  std::shared_ptr<FrameReceiver> receiver_;
  bool flush_posted_ = false;
  bool write_waits_ = false;
};

}  // namespace noren::server
