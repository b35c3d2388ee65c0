#include "worker/session/background.h"

#include <system_error>
#include <thread>

#include <sys/resource.h>

#include "base/limits.h"

namespace noren::worker {

void run_in_background(const std::function<void()>& work) {
  std::thread thread;
  try {
    thread = std::thread([&work] {
      // On Linux the priority is the thread's own, and 0 is the thread that asks.
      static_cast<void>(::setpriority(PRIO_PROCESS, 0, limits::kBackgroundNice));
      work();
    });
  } catch (const std::system_error&) {
    return work();
  }
  thread.join();
}

}  // namespace noren::worker
