#include "domain/quota.h"

#include <algorithm>
#include <chrono>

namespace noren {

std::int64_t lease_size(std::int64_t left_count, std::int64_t wanted_count) {
  if (left_count <= 0 || wanted_count <= 0) return 0;
  const std::int64_t step = std::clamp<std::int64_t>(left_count / 8, 1, 64);
  return std::min({step, left_count, wanted_count});
}

WallUs month_start_us(WallUs now_us) {
  using namespace std::chrono;
  const sys_time<microseconds> now{microseconds(now_us)};
  const year_month_day today{floor<days>(now)};
  const sys_days first = today.year() / today.month() / 1;
  return duration_cast<microseconds>(first.time_since_epoch()).count();
}

}  // namespace noren
