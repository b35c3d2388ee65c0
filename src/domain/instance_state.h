// domain/instance_state.h - The words that an API's instances are described with, as callers and the
// console see them. Derived by the data plane from what its workers do. Plain data, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace noren {

enum class InstanceState : std::uint8_t {
  kSubmitted,     ///< wanted, nothing done yet
  kProvisioning,  ///< a process is on its way
  kBuilding,      ///< the model is being loaded
  kRunning,
  kStopping,  ///< finishing what it holds
  kStopped,
  kRetrying,  ///< it failed, and is tried again after a while
  kFailed,    ///< it failed too often
  kTerminating,
  kTerminated,  ///< the API is deleted
};

constexpr std::string_view instance_state_word(InstanceState state) {
  constexpr std::string_view kWords[] = {"submitted",   "provisioning", "building", "running",
                                         "stopping",    "stopped",      "retrying", "failed",
                                         "terminating", "terminated"};
  return kWords[static_cast<int>(state)];
}

}  // namespace noren
