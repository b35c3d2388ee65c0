// worker/session/serve.h - The loop of a serving worker: load once, then answer requests until told to stop.
// The child's one thread. Never waits for more requests when it has one; what has queued meanwhile shares a
// run where the model allows it. A request that fails takes nobody with it: a batch that fails is run again
// one by one.
#pragma once

#include "worker/session/memory_meter.h"
#include "worker/session/servable.h"

namespace noren::worker {

/// Returns the exit status.
int serve(int socket, MemoryMeter memory, const OpenServable& open);

}  // namespace noren::worker
