#include "worker/session/conversation.h"

#include "base/limits.h"
#include "link/messages.h"

namespace noren::worker {

Conversation::Conversation(int socket) : socket_(socket), reader_(limits::kFramePayloadBytes) {}

Result<link::Received> Conversation::receive(link::Wait wait) {
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
