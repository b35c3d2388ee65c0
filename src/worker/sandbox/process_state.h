// worker/sandbox/process_state.h - Looks at this very process: threads, descriptors, environment.
// Used by the zygote before it forks for the first time; its one thread. Changes nothing.
#pragma once

#include <span>

#include "base/result.h"

namespace noren::worker {

/// Errors where there is more than one thread, a descriptor other than `expected`, or an environment variable
/// that is not known to be harmless: a child would inherit it.
Status check_alone(std::span<const int> expected);

}  // namespace noren::worker
