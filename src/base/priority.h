// base/priority.h - How much of the machine some work gets while others want it too.
#pragma once

#include <cstdint>
#include <optional>

namespace noren {

enum class Priority : std::uint8_t {
  kNormal,
  kLow,   ///< a small share beside others
  kIdle,  ///< what nobody else wants: on a machine that is always busy, next to nothing
};

/// Whether work at idle priority got less than half of a core for its last `wall_ns`, or nobody knows: then
/// it is the machine that is slow, and not the work.
inline bool got_too_little(std::optional<std::int64_t> core_ns, std::int64_t wall_ns) {
  return !core_ns.has_value() || *core_ns < wall_ns / 2;
}

}  // namespace noren
