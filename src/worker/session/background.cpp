#include "worker/session/background.h"

#include <system_error>
#include <thread>

#include "worker/sandbox/lower_priority.h"

namespace noren::worker {

void run_in_background(Priority priority, const std::function<void()>& work) {
  std::thread thread;
  try {
    thread = std::thread([&work, priority] {
      lower_priority(priority);
      work();
    });
  } catch (const std::system_error&) {
    return work();
  }
  thread.join();
}

}  // namespace noren::worker
