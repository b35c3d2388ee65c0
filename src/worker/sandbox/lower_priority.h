// worker/sandbox/lower_priority.h - Work that gives way to requests.
// Called by a forked child before it enters its sandbox, and by the thread that loads a model in the
// background.
#pragma once

#include "base/priority.h"

namespace noren::worker {

/// Of the thread that calls, and of those that it makes from here on. There is no way back without
/// privileges. At kIdle a thread is interrupted at once by whoever wants its core; a small share alone would
/// be waited for until the end of its turn, some milliseconds.
void lower_priority(Priority priority);

}  // namespace noren::worker
