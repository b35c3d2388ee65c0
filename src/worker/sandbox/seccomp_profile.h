// worker/sandbox/seccomp_profile.h - The system calls that a worker may make, compiled once into a filter.
// Built by the zygote when it starts, loaded by each child after the fork; the zygote's and the child's one
// thread. It is the wall: where it can't be loaded nothing is started. Never decides by name or path, only by
// number and values.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <linux/filter.h>

#include "base/result.h"

namespace noren::worker {

/// kRelease is what users run. kGpu is what a worker on a GPU runs: the driver wants files, devices, shared
/// and executable mappings and threads of its own, so only what takes a machine over is refused. kSanitizer
/// lets the sanitizers' run time work, and keeps the refusals that tests look at: processes, sockets, signals
/// to others.
enum class SeccompProfile : std::uint8_t { kRelease, kGpu, kSanitizer };

/// What a worker's children are made for.
enum class WorkerDevice : std::uint8_t { kCpu, kGpu };

/// The one that fits how this program was compiled.
SeccompProfile built_in_profile(WorkerDevice device);
std::string_view seccomp_profile_name(SeccompProfile profile);

enum class Threads : std::uint8_t { kOne, kMany };

class SeccompFilter {
 public:
  static Result<SeccompFilter> compile(SeccompProfile profile, Threads threads);
  /// For good. Requires no_new_privs. `own_pid`: the only process that may be signalled.
  Status load(std::int32_t own_pid) const;

 private:
  std::vector<sock_filter> program_;
};

}  // namespace noren::worker
