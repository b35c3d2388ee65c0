#include "worker/session/session.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "link/channel.h"
#include "worker/session/conversation.h"
#include "worker/session/inspect.h"
#include "worker/session/serve.h"

namespace noren::worker {
namespace {

/// A probe shows that a fresh child can answer, and that its sandbox is closed.
int answer_probe(int socket) {
  Conversation conversation(socket);
  const auto frame = conversation.next();
  if (!frame.ok() || !frame->has_value() || (*frame)->header.type != link::FrameType::kProbe)
    return kExitBroken;
  const UniqueFd root(::open("/", O_PATH | O_CLOEXEC));
#ifndef NOREN_SANITIZED
  if (root.valid() || errno != EACCES) return kExitBroken;
#endif
  conversation.writer().add({.type = link::FrameType::kProbed, .id = (*frame)->header.id});
  return conversation.flush() ? 0 : kExitBroken;
}

}  // namespace

int live(Child child, const SessionParts& parts) {
  switch (child.role) {
    case link::ChildRole::kServe:
      return serve(child.socket.get(), MemoryMeter(std::move(child.statm), std::move(child.smaps_rollup)),
                   parts.open);
    case link::ChildRole::kInspect: return inspect(child.socket.get(), parts);
    case link::ChildRole::kProbe: return answer_probe(child.socket.get());
    default: return kExitBroken;
  }
}

}  // namespace noren::worker
