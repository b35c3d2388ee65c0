#include "base/clock.h"

#include <ctime>

#include <fmt/format.h>

namespace noren {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

class SystemClock final : public Clock {
 public:
  MonotonicNs monotonic_ns() const override { return read(CLOCK_MONOTONIC); }
  WallUs wall_us() const override { return read(CLOCK_REALTIME) / 1000; }

 private:
  static std::int64_t read(clockid_t id) {
    timespec time{};
    clock_gettime(id, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }
};

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::tm broken_down(WallUs time_us) {
  const std::time_t seconds = floor_divide(time_us, 1'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

std::string format_utc(WallUs time_us) {
  const std::tm t = broken_down(time_us);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec);
}

std::string format_version(WallUs time_us) {
  const std::tm t = broken_down(time_us);
  return fmt::format("{:04}{:02}{:02}_{:02}{:02}{:02}{:06}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec, time_us - floor_divide(time_us, 1'000'000) * 1'000'000);
}

std::int32_t utc_day(WallUs time_us) { return static_cast<std::int32_t>(floor_divide(time_us, kDayUs)); }

}  // namespace noren
