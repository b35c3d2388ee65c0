// worker/session/backstop.h - The last resort against a run without end: the process ends itself.
// The server kills at the deadline; this only matters when the server can't. One for a process, on its one
// thread. Costs no system call a run: the timer is set again only when it has gone off.
#pragma once

#include "base/clock.h"

namespace noren::worker {

class Backstop {
 public:
  Backstop();
  /// A run begins that must be over by then; past that and a grace time the process exits. 0: no deadline.
  void begin(MonotonicNs deadline_ns);
  void end();
};

}  // namespace noren::worker
