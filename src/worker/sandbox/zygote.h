// worker/sandbox/zygote.h - The zygote: starts once, warms up, and forks a sandboxed child for each request
// of the server. Called by main of noren-worker (and of the tests' programs) on its one thread. It never
// reads a byte of a model or of a caller's request, opens nothing after its start, and ends with the server:
// so do its children.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "link/messages.h"
#include "worker/sandbox/seccomp_profile.h"

namespace noren::worker {

/// Where the server's control socket is in a zygote that was started by it.
inline constexpr int kControlDescriptor = 3;

/// What a child is born with. It is in its sandbox already.
struct Child {
  link::ChildRole role = link::ChildRole::kServe;
  UniqueFd socket;
  UniqueFd statm;         ///< its own /proc/self/statm
  UniqueFd smaps_rollup;  ///< its own /proc/self/smaps_rollup; not valid on kernels without it
};

struct WarmUp {
  std::string name;
  std::function<Status()> run;
};

struct ZygoteOptions {
  /// Whatever opens files, starts tables or allocates lazily runs here, in order.
  std::vector<WarmUp> warm_ups;
  /// The child's life; its return value is the exit status.
  std::function<int(Child)> child;
};

enum class ChildErrors : std::uint8_t { kDiscard, kKeep };

struct ZygoteArguments {
  std::int32_t parent = 0;
  WorkerDevice device = WorkerDevice::kCpu;
  ChildErrors child_errors = ChildErrors::kDiscard;  ///< what children write to stderr: untrusted, so dropped
};
/// "--parent=PID [--gpu] [--keep-stderr]". Errors: one sentence for a person who started the program by hand.
Result<ZygoteArguments> parse_zygote_arguments(int count, const char* const* arguments);

/// Runs until the server is gone. Returns the exit status.
int run_zygote(const ZygoteArguments& arguments, const ZygoteOptions& options);

}  // namespace noren::worker
