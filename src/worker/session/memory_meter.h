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
  /// Made at the child's birth, while it still shares everything with the zygote.
  MemoryMeter(UniqueFd statm, UniqueFd smaps_rollup);

  /// Cheap: the memory that came since the birth. What is told after loading.
  std::int64_t estimate();
  /// Exact, and slow (the kernel walks the page tables): once, when there is nothing else to do. A value
  /// where it differs much from what was told.
  std::optional<std::int64_t> measure_once();
  bool is_measured() const { return !smaps_rollup_.valid(); }
  /// Cheap: a value where there is much more than what was told last; looks at most every 200 ms.
  std::optional<std::int64_t> grown(MonotonicNs now_ns);

 private:
  std::optional<std::int64_t> tell(std::int64_t bytes);
  /// Memory that no file stands behind, shared with the zygote or not.
  std::int64_t anonymous_bytes() const;

  UniqueFd statm_;
  UniqueFd smaps_rollup_;
  std::int64_t told_bytes_ = 0;
  std::int64_t birth_bytes_;
  std::int64_t peak_then_bytes_ = 0;  ///< when told_bytes_ was true
  MonotonicNs looked_ns_ = 0;
};

}  // namespace noren::worker
