// server/data_plane/usage_counters.h - What was served, counted in a memory-mapped file that outlives a
// killed process. Opened by app before the loop runs; counted on the event loop with single 8-byte stores, no
// lock and no system call. Counts are absolute, per API and UTC day: whoever stores them replaces, so a
// replay changes nothing. It also holds the permits of free requests that this server has in hand and in
// flight. A machine that loses power loses what the kernel had not written.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace noren::server {

enum class UsageClass : std::uint8_t {
  kSuccess,    ///< status 200, answered: what quotas and bills count
  kRefused,    ///< 403, 413, 429, 503
  kInvalid,    ///< 400
  kTimeout,    ///< 504
  kInternal,   ///< 500
  kAbandoned,  ///< the caller hung up
};
inline constexpr std::size_t kUsageClassesCount = 6;

/// A row for the store: absolute counts of this server on a day.
struct UsageRow {
  std::uint32_t api_number = 0;
  std::int32_t utc_day = 0;
  std::uint64_t counts[kUsageClassesCount] = {};
  std::uint64_t successes() const { return counts[0]; }
};

class UsageCounters {
 public:
  /// Makes the file where there is none. A damaged file is put aside (with ".damaged" behind its name) and
  /// counting begins anew under another server id. `clock` outlives it.
  static Result<std::unique_ptr<UsageCounters>> open(const std::string& file, Clock& clock);
  /// Marks the file as closed in order.
  ~UsageCounters();

  /// Random, made with the file: the name under which the store keeps this file's counts.
  const std::string& server_id() const;

  void add(std::uint32_t api_number, UsageClass usage);

  /// A success that is about to happen. It is in the file, where a process that is killed now leaves it, and
  /// in no row until it is kept. Returns its UTC day, for one of the two that follow.
  std::int32_t begin_success(std::uint32_t api_number);
  void keep_success(std::uint32_t api_number, std::int32_t utc_day);
  void drop_success(std::uint32_t api_number, std::int32_t utc_day);

  /// Permits of a free API that were leased and not used yet, and those that requests hold now. What was in
  /// flight when a process died is in doubt and counts as used: it is reported once by open() and then gone.
  struct FreePermits {
    std::uint32_t in_hand_count = 0;
    std::uint32_t in_flight_count = 0;
  };
  FreePermits free_permits(std::uint32_t api_number) const;
  void set_free_permits(std::uint32_t api_number, FreePermits permits);
  struct InDoubt {
    std::uint32_t api_number = 0;
    std::uint32_t permits_count = 0;
  };
  const std::vector<InDoubt>& in_doubt() const;

  std::vector<UsageRow> all_rows() const;
  /// Rows that changed since they were last taken.
  std::vector<UsageRow> take_changed_rows();
  /// `rows` are in the store: days before yesterday, unchanged since, free their place.
  void on_stored(const std::vector<UsageRow>& rows);

 private:
  class Impl;
  explicit UsageCounters(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace noren::server
