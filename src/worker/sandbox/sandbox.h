// worker/sandbox/sandbox.h - What a worker may do: nothing but compute and answer on its socket.
// Prepared once by the zygote, entered by each child before it sees one byte that is not ours. One thread.
// Never lets a child go on half closed: an error from enter() means that the process must exit.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "link/messages.h"
#include "worker/sandbox/landlock.h"
#include "worker/sandbox/seccomp_profile.h"

namespace noren::worker {

/// How much of memory a process has, in bytes, from an open /proc/self/statm.
struct MemoryUse {
  std::int64_t address_bytes = 0;
  std::int64_t resident_bytes = 0;
  std::int64_t shared_bytes = 0;
  std::int64_t data_bytes = 0;
};
Result<MemoryUse> read_memory_use(int statm);

class Sandbox {
 public:
  /// For a GPU the walls are lower: libraries can be read, and NVIDIA's devices be used.
  static Result<Sandbox> prepare(WorkerDevice device);

  /// Gives everything up, for good. `parent` is the process whose end must be this one's, too; `statm` the
  /// child's own.
  Status enter(const link::ForkRequest& bounds, std::int32_t parent, int statm) const;

  unsigned landlock_abi() const { return landlock_.abi; }
  SeccompProfile profile() const { return profile_; }
  /// What this machine lacks, for the operator; empty where nothing does.
  std::string notes() const;

 private:
  SeccompProfile profile_ = SeccompProfile::kRelease;
  Landlock landlock_;
  SeccompFilter one_thread_;
  SeccompFilter many_threads_;
};

}  // namespace noren::worker
