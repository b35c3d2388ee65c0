#include "server/event_loop/event_loop.h"

#include <chrono>
#include <utility>

#include <sched.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace noren::server {

namespace asio = boost::asio;

// One thread runs it, and others only post: a hint that lets Asio leave out what many threads would need.
EventLoop::EventLoop() : context_(std::make_unique<asio::io_context>(1)) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  const auto guard = asio::make_work_guard(*context_);
  context_->run();
}

void EventLoop::stop() { context_->stop(); }

void EventLoop::post(std::function<void()> work) { asio::post(*context_, std::move(work)); }

void EventLoop::give_way() {
  if (std::exchange(gives_way_, true)) return;
  asio::post(*context_, [this] {
    gives_way_ = false;
    ::sched_yield();
  });
}

struct Alarm::State : std::enable_shared_from_this<Alarm::State> {
  State(asio::io_context& context, std::function<void()> on_ring)
      : timer(context), ring(std::move(on_ring)) {}

  void wait() {
    using Steady = std::chrono::steady_clock;  // CLOCK_MONOTONIC, counted in nanoseconds
    timer.expires_at(Steady::time_point(std::chrono::nanoseconds(set_ns)));
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->closed) return;
      self->set_ns = 0;
      self->ring();
    });
  }

  asio::steady_timer timer;
  std::function<void()> ring;
  MonotonicNs set_ns = 0;  ///< 0: not set
  bool closed = false;
};

Alarm::Alarm(EventLoop& loop, std::function<void()> ring)
    : state_(std::make_shared<State>(loop.context(), std::move(ring))) {}

Alarm::~Alarm() {
  state_->closed = true;
  state_->timer.cancel();
}

void Alarm::set(MonotonicNs when_ns) {
  if (state_->set_ns != 0 && state_->set_ns <= when_ns) return;
  state_->set_ns = when_ns;
  state_->wait();  // expires_at cancels a wait that is under way
}

}  // namespace noren::server
