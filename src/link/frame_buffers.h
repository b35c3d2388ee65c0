// link/frame_buffers.h - A stream of bytes into frames, and frames into a stream: the buffers of both halves.
// Used through channel.h or an event loop, on the owner's one thread. No socket in here. Nothing that a peer
// promises costs memory before its bytes are there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "link/frame.h"

namespace noren::link {

/// Descriptors that travel with one write.
inline constexpr std::size_t kDescriptorsPerWriteCount = 16;

/// A frame that was taken out of a FrameReader. Its payload stays in the reader.
struct Frame {
  FrameHeader header;
  std::uint64_t position = 0;  ///< of the payload in the stream
  UniqueFd descriptor;         ///< valid exactly where the header's flag says so
};

/// Cuts a stream of bytes into frames. Payloads stay where they were received, each with at least
/// limits::kFramePaddingBytes readable bytes behind it, until release_before() says that they are done with.
class FrameReader {
 public:
  explicit FrameReader(std::size_t payload_limit_bytes);

  /// Room for the next bytes. Memory grows with what has arrived, never with what a header promises.
  std::span<std::uint8_t> writable();
  /// That many bytes were put into writable(), and these descriptors came with them.
  void commit(std::size_t count);
  void add_descriptor(UniqueFd descriptor) { descriptors_.push_back(std::move(descriptor)); }

  /// The next whole frame, nothing when more bytes are needed, or kCorrupt: then the peer is to be ended.
  Result<std::optional<Frame>> next();
  /// Valid until the next writable() or release_before().
  ByteView payload(const Frame& frame) const;
  /// Payloads before this position of the stream may go.
  void release_before(std::uint64_t position);
  /// Payloads of all frames that were taken may go.
  void release_taken() { release_before(position_); }
  /// Bytes that arrived and are not yet a whole frame.
  std::size_t pending_bytes() const { return end_ - cursor(); }

 private:
  std::size_t cursor() const { return static_cast<std::size_t>(position_ - base_); }
  void reserve(std::size_t capacity);

  std::size_t payload_limit_bytes_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t capacity_ = 0;
  std::uint64_t base_ = 0;      ///< position in the stream of buffer_[0]
  std::uint64_t position_ = 0;  ///< where the next frame begins
  std::uint64_t released_ = 0;  ///< nothing before this is needed
  std::size_t end_ = 0;         ///< bytes in buffer_
  std::deque<UniqueFd> descriptors_;
};

/// Collects frames into one block of bytes, so that many leave with one write. Descriptors travel with the
/// first byte of a write, so a write ends before the frame that would need one descriptor more than fits.
class FrameWriter {
 public:
  /// A descriptor to send: borrowed (must stay open until it is sent) or owned.
  using Descriptor = std::variant<int, UniqueFd>;

  void add(FrameHeader header, ByteView payload = {});
  /// Sets kHasDescriptor.
  void add(FrameHeader header, ByteView payload, Descriptor descriptor);
  /// The payload is appended by the caller into the returned buffer, then end_payload() is called.
  std::vector<std::uint8_t>& begin_payload(const FrameHeader& header);
  void end_payload();
  /// Instead of end_payload(): as if it had never begun.
  void drop_payload() { bytes_.resize(open_frame_); }

  bool empty() const { return sent_ == bytes_.size(); }
  std::size_t size_bytes() const { return bytes_.size() - sent_; }

  struct Chunk {
    ByteView bytes;
    std::size_t descriptors_count = 0;
    std::array<int, kDescriptorsPerWriteCount> descriptors{};
  };
  /// What the next write is to carry.
  Chunk chunk() const;
  /// `count` > 0 bytes of chunk() were written, and with them its descriptors.
  void consume(std::size_t count);

 private:
  struct Attached {
    std::size_t frame_offset;
    Descriptor descriptor;
  };
  std::vector<std::uint8_t> bytes_;
  std::size_t sent_ = 0;
  std::size_t open_frame_ = 0;
  std::deque<Attached> attached_;
};

}  // namespace noren::link
