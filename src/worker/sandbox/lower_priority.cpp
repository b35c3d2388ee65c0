#include "worker/sandbox/lower_priority.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/limits.h"

namespace noren::worker {

void lower_priority(Priority priority) {
  if (priority == Priority::kNormal) return;
  // On Linux the priority is the thread's own, and 0 is the thread that asks.
  static_cast<void>(::setpriority(PRIO_PROCESS, 0, limits::kBackgroundNice));
  const sched_param none{};
  if (priority == Priority::kIdle) static_cast<void>(::sched_setscheduler(0, SCHED_IDLE, &none));
}

}  // namespace noren::worker
