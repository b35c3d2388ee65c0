// link/channel.h - Moves frames through a socket that the caller owns: one receive takes many, one send gives
// many. Workers and the zygote use it blocking, the server without blocking, each on its own thread. Opens
// and closes nothing.
#pragma once

#include "link/frame_buffers.h"

namespace noren::link {

enum class Wait : std::uint8_t { kBlock, kNever };
/// Whether descriptors may come in. A server never takes any from a worker: the kernel drops them then.
enum class Descriptors : std::uint8_t { kAccept, kRefuse };

enum class Received : std::uint8_t {
  kBytes,    ///< something arrived
  kNothing,  ///< Wait::kNever, and nothing is there
  kEnd,      ///< the other side has closed, or is gone
};

/// One receive into the reader. Errors: kCorrupt when descriptors were lost, kUnavailable for a failed call.
Result<Received> receive(int socket, FrameReader& reader, Wait wait, Descriptors descriptors);

enum class Sent : std::uint8_t {
  kAll,
  kPart,  ///< Wait::kNever, and the socket is full
  kEnd,   ///< the other side is gone
};

/// Sends until the writer is empty or, with Wait::kNever, the socket is full. Never raises SIGPIPE.
Result<Sent> send(int socket, FrameWriter& writer, Wait wait);

}  // namespace noren::link
