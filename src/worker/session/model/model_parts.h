// worker/session/model/model_parts.h - The real parts of a session: engine, classic protocol and import
// behind the loops' interfaces. Used by main of noren-worker; everything runs on a child's one thread, inside
// the sandbox.
#pragma once

#include "worker/session/session.h"

namespace noren::worker {

SessionParts model_parts();

}  // namespace noren::worker
