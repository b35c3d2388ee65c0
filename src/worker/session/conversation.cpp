#include "worker/session/conversation.h"

#include <cerrno>

#include <poll.h>

#include "base/limits.h"
#include "link/messages.h"

namespace noren::worker {

Conversation::Conversation(int socket) : socket_(socket), reader_(limits::kFramePayloadBytes) {}

Result<link::Received> Conversation::receive(link::Wait wait) {
  // A receive that waits is woken up in vain each time the server takes an answer out of its end; a poll for
  // what can be read sleeps on. That saves two process switches a request where both share a core.
  while (wait == link::Wait::kBlock) {
    pollfd readable{socket_, POLLIN, 0};
    if (::poll(&readable, 1, -1) < 0 && errno != EINTR)
      return system_error(Code::kUnavailable, "connection lost", "poll");
    auto received = link::receive(socket_, reader_, link::Wait::kNever, link::Descriptors::kAccept);
    if (!received.ok() || *received != link::Received::kNothing) return received;
  }
  return link::receive(socket_, reader_, wait, link::Descriptors::kAccept);
}

Result<std::optional<link::Frame>> Conversation::next() {
  while (true) {
    ASSIGN_OR_RETURN(auto frame, reader_.next());
    if (frame.has_value()) return frame;
    ASSIGN_OR_RETURN(const link::Received received, receive(link::Wait::kBlock));
    if (received == link::Received::kEnd) return frame;
  }
}

bool Conversation::flush() {
  const auto sent = link::send(socket_, writer_, link::Wait::kBlock);
  return sent.ok() && *sent == link::Sent::kAll;
}

int Conversation::fail(const Error& error) {
  const link::FrameHeader header{.type = link::FrameType::kFailed,
                                 .code = static_cast<std::uint32_t>(error.code)};
  writer_.add(header, bytes_of(link::cut_detail(error.text)));
  return flush() ? kExitRefused : kExitBroken;
}

}  // namespace noren::worker
