// server/data_plane/call.h - One request on its way through the data plane, as whoever waits for it sees it.
// Used by the HTTP room on the event loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "domain/instance_state.h"
#include "domain/refusal.h"

namespace noren::server {

/// Why a caller gets no answer, and what it is told besides.
struct Refused {
  Refusal refusal = Refusal::kInternal;
  InstanceState state = InstanceState::kStopped;  ///< of kNotRunning
  std::int32_t retry_after_s = 0;                 ///< 0: not said
  WallUs next_start_us = 0;                       ///< 0: not known
  std::string detail;                             ///< for the caller; never anything internal
  MonotonicNs answer_at_ns = 0;  ///< it is one of a flood: the caller hears of it then; 0: at once
};

struct CallResult {
  std::optional<Refused> refused;
  std::string answer;  ///< JSON, where nothing is refused
};

struct Call;

/// Waits for one call at a time. Whoever is destroyed while it waits abandons the call first
/// (DataPlane::abandon).
class CallListener {
 public:
  virtual void on_call_done(CallResult result) = 0;

 protected:
  CallListener() = default;
  virtual ~CallListener() = default;

 private:
  friend class Dispatch;
  Call* call_ = nullptr;
};

}  // namespace noren::server
