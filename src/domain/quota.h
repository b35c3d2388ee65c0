// domain/quota.h - How many free requests are handed out at once, and when a month of them begins.
// Called by the control plane. Pure.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace noren {

/// The size of a lease out of `left_count` free requests. Large while the end is far, so that leases are
/// rare; 1 to 4 near it, so that a crash leaves few in doubt. Never more than is left or wanted.
std::int64_t lease_size(std::int64_t left_count, std::int64_t wanted_count);

/// Midnight (UTC) of the month's first day.
WallUs month_start_us(WallUs now_us);

}  // namespace noren
