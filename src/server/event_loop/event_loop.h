// server/event_loop/event_loop.h - The one thread that owns connections, worker sockets, admission and
// dispatch. Made by app (and by tests); run() is that thread. post() may be called from any thread,
// everything else only on the loop or before it runs. It never blocks: whoever needs a disk or a database
// posts to a thread of its own and back.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"

namespace boost::asio {
class io_context;
}

namespace noren::server {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Until stop().
  void run();
  /// Any thread.
  void stop();
  /// Runs `work` on the loop, later. Any thread.
  void post(std::function<void()> work);
  /// Once the events at hand are served, whoever else wants this core may run first. For floods that are
  /// refused: a worker that shares the core would get half of it, and the refusals the other half.
  void give_way();
  boost::asio::io_context& context() { return *context_; }

 private:
  std::unique_ptr<boost::asio::io_context> context_;
  bool gives_way_ = false;
};

/// Rings once at a time of CLOCK_MONOTONIC, and can be set again (also while it rings). Setting it later than
/// it is set already costs no system call: it rings early then, and the owner looks at the clock and sets it
/// anew.
class Alarm {
 public:
  Alarm(EventLoop& loop, std::function<void()> ring);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  void set(MonotonicNs when_ns);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace noren::server
