// worker/session/background.h - Work that gives way to everything else on the machine.
// Used by the serve loop while it loads a model beside one that serves, on the worker's main thread.
#pragma once

#include <functional>

#include "base/priority.h"

namespace noren::worker {

/// Runs `work`, which throws nothing, on a thread of this priority and waits for its end. A priority that
/// was lowered can't be raised again without privileges, and a worker has none: so it is a thread that goes
/// away, and the caller keeps its own priority. Threads that `work` makes stay at the low one. Where no
/// thread can be made, the caller does the work.
void run_in_background(Priority priority, const std::function<void()>& work);

}  // namespace noren::worker
