// base/priority.h - How much of the machine some work gets while others want it too.
#pragma once

#include <cstdint>

namespace noren {

enum class Priority : std::uint8_t {
  kNormal,
  kLow,   ///< a small share beside others
  kIdle,  ///< what nobody else wants: on a machine that is always busy, next to nothing
};

}  // namespace noren
