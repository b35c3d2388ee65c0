// base/clock.h - Time as a parameter: monotonic and wall time behind one small interface.
// Whoever decides by time takes a Clock&; tests hand in a ManualClock and never sleep. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace noren {

/// Nanoseconds of CLOCK_MONOTONIC: for deadlines and durations. The same in every process of a machine.
using MonotonicNs = std::int64_t;
/// Microseconds since 1970-01-01T00:00:00Z (no leap seconds): for schedules, versions, bills.
using WallUs = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicNs monotonic_ns() const = 0;
  virtual WallUs wall_us() const = 0;
};

/// The system's clocks.
Clock& system_clock();

/// A clock that stands still until it is told to move.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallUs wall_us = 0) : wall_us_(wall_us) {}
  MonotonicNs monotonic_ns() const override { return monotonic_ns_; }
  WallUs wall_us() const override { return wall_us_; }
  void advance_ms(std::int64_t duration_ms) {
    monotonic_ns_ += duration_ms * 1'000'000;
    wall_us_ += duration_ms * 1'000;
  }
  void set_wall_us(WallUs wall_us) { wall_us_ = wall_us; }

 private:
  std::atomic<MonotonicNs> monotonic_ns_{1'000'000'000};
  std::atomic<WallUs> wall_us_;
};

/// "2020-07-07T05:16:47Z".
std::string format_utc(WallUs time_us);
/// "20200707_051647035778": the version label of the contract.
std::string format_version(WallUs time_us);
/// Days since 1970-01-01 (UTC).
std::int32_t utc_day(WallUs time_us);

}  // namespace noren
