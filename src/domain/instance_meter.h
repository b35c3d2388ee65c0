// domain/instance_meter.h - How long instances of dedicated APIs ran, for usage and bills: the pieces of time
// between max(Ready, window start) and min(stopped, window end), a row for each instance and piece. The data
// plane says how many serve whenever that changes and on every pass; the rows go to the store, each again
// while it grows. A row's identity (API, slot, beginning) never changes, so storing one twice does no harm,
// and what was stored before a crash is right. No clock, lock or I/O in here; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "domain/schedule.h"

namespace noren {

/// One instance (slot 0 is an API's first) from then until then.
struct InstanceTime {
  std::uint32_t api_number = 0;
  int slot = 0;
  bool on_gpu = false;
  TimeSpan span;
  bool operator==(const InstanceTime&) const = default;
};

/// What of an API runs from now on.
struct InstancesServing {
  int count = 0;  ///< that are Ready and wanted; neither starting, draining nor failed ones
  bool on_gpu = false;
};

class InstanceMeter {
 public:
  /// Until now it was as the last call for this API said, within `schedule`; from now on it is `serving`.
  void set(std::uint32_t api_number, const Schedule& schedule, InstancesServing serving, WallUs now_us,
           MonotonicNs now_ns);

  /// Rows that are new or longer than what was stored.
  std::vector<InstanceTime> unstored() const;
  /// Of these, what to write next: rows of a write that failed are written alone, until one succeeds, so that
  /// few rows are ever in doubt.
  std::vector<InstanceTime> next_to_store() const;
  void on_stored(const std::vector<InstanceTime>& rows);
  /// The store did not say that it has these, and may have them all the same. Where too many rows wait, those
  /// of one instance are joined. Each keeps its seconds; its day too, where joining within days is enough.
  void on_not_stored(const std::vector<InstanceTime>& rows);

 private:
  struct Api {
    InstancesServing serving;
    WallUs counted_us = 0;
    MonotonicNs counted_ns = 0;
    std::vector<InstanceTime> rows;  ///< the last one of each slot
  };
  struct Waiting {
    InstanceTime row;
    bool is_partly_stored = false;  ///< the store has its beginning: it stays a row of its own
    bool is_in_doubt = false;       ///< the store may have it: likewise
  };
  enum class Join : std::uint8_t { kWithinDays, kAny };
  void count(std::uint32_t api_number, Api& api, const TimeSpan& piece);
  void join(Join how);
  bool is_growing(const InstanceTime& row) const;

  using Identity = std::tuple<std::uint32_t, int, WallUs>;
  std::unordered_map<std::uint32_t, Api> apis_;
  std::map<Identity, Waiting> unstored_;
};

struct InstanceSeconds {
  std::int64_t cpu_s = 0;
  std::int64_t gpu_s = 0;
};
/// Seconds by UTC day out of one API's rows in any order, over all its instances; rounded down once a day and
/// device. Rows of one slot that overlap (several servers run the same instance) count once.
std::map<std::int32_t, InstanceSeconds> instance_seconds_by_day(std::vector<InstanceTime> rows);

}  // namespace noren
