#include "worker/session/reading_mark.h"

#include <array>
#include <atomic>

#include <signal.h>
#include <unistd.h>

#include "base/limits.h"
#include "link/messages.h"

namespace noren::worker {
namespace {

constexpr std::array kDeadlySignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};

std::atomic<bool> g_reading{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// A decoder may die of a full stack: the handler has one of its own. Nobody touches it before that.
alignas(16) std::array<char, 16 * limits::kKiB> g_handler_stack;

extern "C" void on_deadly_signal(int signal) {
  if (g_reading.load(std::memory_order_relaxed)) ::_exit(link::kDiedReadingStatus + signal);
  // Reset by SA_RESETHAND: what raised it does so again, and now it counts.
  ::raise(signal);
}

}  // namespace

void ReadingMark::watch_signals() {
  stack_t stack{};
  stack.ss_sp = g_handler_stack.data();
  stack.ss_size = g_handler_stack.size();
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_deadly_signal;
  action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (const int signal : kDeadlySignals) ::sigaction(signal, &action, nullptr);
}

ReadingMark::ReadingMark() { g_reading.store(true, std::memory_order_relaxed); }
ReadingMark::~ReadingMark() { g_reading.store(false, std::memory_order_relaxed); }

}  // namespace noren::worker
