// server/event_loop/event_loop.h - The one thread that owns connections, worker sockets, admission and
// dispatch. Made by app (and by tests); run() is that thread. post() may be called from any thread,
// everything else only on the loop or before it runs. It never blocks: whoever needs a disk or a database
// posts to a thread of its own and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"

namespace boost::asio {
class io_context;
}

namespace noren::server {

class Alarm;

class EventLoop {
 public:
  /// By hand: for tests on a clock that stands still. Alarms ring in turn(), and run() is not called.
  enum class Alarms : std::uint8_t { kByThemselves, kByHand };
  explicit EventLoop(Alarms alarms = Alarms::kByThemselves);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Until stop().
  void run();
  /// Any thread.
  void stop();
  /// Runs `work` on the loop, later. Any thread.
  void post(std::function<void()> work);
  /// For the next second a worker that has this core keeps it when something comes in. For floods: each
  /// request that comes would else interrupt the worker, to be refused. Does nothing where somebody chose
  /// another scheduling policy for the server.
  void give_way(MonotonicNs now_ns);
  /// Rings what is due, then runs what was posted, until nothing is left. Only with Alarms::kByHand.
  void turn(MonotonicNs now_ns);
  boost::asio::io_context& context() { return *context_; }

 private:
  friend class Alarm;
  const Alarms alarms_;
  std::unique_ptr<boost::asio::io_context> context_;
  void stop_giving_way();
  MonotonicNs gives_way_until_ns_ = 0;  ///< 0: it does not
  bool is_scheduled_as_usual_ = false;  ///< and runs at all
  std::vector<Alarm*> by_hand_;
  std::unique_ptr<Alarm> way_alarm_;
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
  friend class EventLoop;
  struct State;
  EventLoop& loop_;
  std::shared_ptr<State> state_;
};

}  // namespace noren::server
