// worker/session/inspect.h - The loop of a throw-away worker: one file in, a description and a package out.
// The child's one thread, inside the sandbox. The server ends it at the deadline.
#pragma once

#include "worker/session/session.h"

namespace noren::worker {

/// Returns the exit status.
int inspect(int socket, const SessionParts& parts);

}  // namespace noren::worker
