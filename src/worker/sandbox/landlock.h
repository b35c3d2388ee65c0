// worker/sandbox/landlock.h - The second wall: a Landlock domain in which nothing is allowed.
// The ruleset is opened by the zygote and entered by each child, on its one thread. Kernels have more or less
// of it.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace noren::worker {

struct Landlock {
  unsigned abi = 0;  ///< 0: this kernel has none, or it is switched off
  UniqueFd ruleset;

  /// Never fails: without Landlock, abi is 0 and enter() does nothing.
  static Landlock open();
  /// Lets these files, and what is below these folders, be read and mapped; devices be used as well. One that
  /// is missing is left out.
  Status allow_reading(const std::string& path) const;
  Status allow_device(const std::string& path) const;
  /// For good. Requires no_new_privs.
  Status enter() const;
};

}  // namespace noren::worker
