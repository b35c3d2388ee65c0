// worker/session/conversation.h - A child's end of its socket: blocking, frame by frame.
// Used by the loops of this room, on the child's one thread.
#pragma once

#include <string_view>

#include "base/result.h"
#include "link/channel.h"

namespace noren::worker {

// Exit statuses of a child.
inline constexpr int kExitDone = 0;
inline constexpr int kExitBroken = 62;   ///< the server said something that makes no sense, or is gone
inline constexpr int kExitRefused = 63;  ///< kFailed was sent
inline constexpr int kExitOverdue = 64;  ///< nobody ended a run that was long overdue

class Conversation {
 public:
  explicit Conversation(int socket);

  /// The next frame; nothing when the server has closed.
  Result<std::optional<link::Frame>> next();
  /// One receive, no frame taken.
  Result<link::Received> receive(link::Wait wait);
  /// False when the server is gone.
  bool flush();
  /// Says kFailed and gives the exit status for it.
  int fail(const Error& error);

  link::FrameReader& reader() { return reader_; }
  link::FrameWriter& writer() { return writer_; }

 private:
  int socket_;
  link::FrameReader reader_;
  link::FrameWriter writer_;
};

}  // namespace noren::worker
