#include "worker/session/backstop.h"

#include <algorithm>
#include <atomic>

#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "worker/session/conversation.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::atomic<std::int64_t> g_overdue_ns{0};  // 0: nothing runs
std::atomic<bool> g_timer_set{false};

void set_timer(std::int64_t duration_ns) {
  const std::int64_t bounded_ns = std::max<std::int64_t>(duration_ns, 1'000'000);
  itimerval timer{};
  timer.it_value.tv_sec = bounded_ns / kNsPerSecond;
  timer.it_value.tv_usec = bounded_ns % kNsPerSecond / 1000;
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

extern "C" void on_timer(int) {
  const std::int64_t overdue_ns = g_overdue_ns;
  if (overdue_ns == 0) {
    g_timer_set = false;
    return;
  }
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t now_ns = now.tv_sec * kNsPerSecond + now.tv_nsec;
  if (now_ns >= overdue_ns) ::_exit(kExitOverdue);
  set_timer(overdue_ns - now_ns);
}

}  // namespace

Backstop::Backstop() {
  struct sigaction action {};
  action.sa_handler = on_timer;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGALRM, &action, nullptr);
}

void Backstop::begin(MonotonicNs deadline_ns) {
  if (deadline_ns <= 0) return;
  g_overdue_ns = deadline_ns + limits::kWorkerGraceMs * 1'000'000;
  if (!g_timer_set.exchange(true)) set_timer(g_overdue_ns - system_clock().monotonic_ns());
}

void Backstop::end() { g_overdue_ns = 0; }

}  // namespace noren::worker
