// worker/session/memory_meter.h - How much memory this worker has for itself, as it reports to the server.
// Used by the serve loop, on the worker's one thread. Reads two files that were opened before the sandbox
// closed.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace noren::worker {

class MemoryMeter {
 public:
  explicit MemoryMeter(UniqueFd smaps_rollup) : smaps_rollup_(std::move(smaps_rollup)) {}

  /// Exact, and slow (the kernel walks the page tables): once, after loading. 0 where it can't be known.
  std::int64_t measure();
  /// Cheap: what was measured, and how much the most that this process ever had has grown since. A value
  /// where it is much more than what was told last; looks at most every 200 ms.
  std::optional<std::int64_t> grown(MonotonicNs now_ns);

 private:
  UniqueFd smaps_rollup_;
  std::int64_t told_bytes_ = 0;
  std::int64_t peak_then_bytes_ = 0;
  MonotonicNs looked_ns_ = 0;
};

}  // namespace noren::worker
