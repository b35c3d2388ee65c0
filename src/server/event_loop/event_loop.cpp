#include "server/event_loop/event_loop.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include <sched.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/check.h"

namespace noren::server {

namespace asio = boost::asio;

namespace {

constexpr MonotonicNs kGivesWayNs = 1'000'000'000;

/// Of this thread. Under SCHED_BATCH its share is the same, but waking it interrupts nobody: what comes in
/// meanwhile is served together (sched(7)). Where a host forbids it, floods only cost more.
void set_scheduling_policy(int policy) {
  const sched_param parameters{};
  (void)::sched_setscheduler(0, policy, &parameters);
}

}  // namespace

// One thread runs it, and others only post: a hint that lets Asio leave out what many threads would need.
EventLoop::EventLoop(Alarms alarms)
    : alarms_(alarms),
      context_(std::make_unique<asio::io_context>(1)),
      way_alarm_(std::make_unique<Alarm>(*this, [this] { stop_giving_way(); })) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  is_scheduled_as_usual_ = ::sched_getscheduler(0) == SCHED_OTHER;
  const auto guard = asio::make_work_guard(*context_);
  context_->run();
}

void EventLoop::stop() { context_->stop(); }

void EventLoop::post(std::function<void()> work) { asio::post(*context_, std::move(work)); }

void EventLoop::give_way(MonotonicNs now_ns) {
  if (!is_scheduled_as_usual_) return;
  const bool already = gives_way_until_ns_ != 0;
  gives_way_until_ns_ = now_ns + kGivesWayNs;
  if (already) return;
  set_scheduling_policy(SCHED_BATCH);
  way_alarm_->set(gives_way_until_ns_);
}

void EventLoop::stop_giving_way() {
  if (system_clock().monotonic_ns() < gives_way_until_ns_) return way_alarm_->set(gives_way_until_ns_);
  gives_way_until_ns_ = 0;
  set_scheduling_policy(SCHED_OTHER);
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

void EventLoop::turn(MonotonicNs now_ns) {
  CHECK(alarms_ == Alarms::kByHand);
  const auto is_due = [now_ns](const Alarm* alarm) {
    return alarm->state_->set_ns != 0 && alarm->state_->set_ns <= now_ns;
  };
  // One that sets itself again for now rings once a turn, as it would a little later on a clock that goes on.
  std::vector<Alarm*> due;
  std::ranges::copy_if(by_hand_, std::back_inserter(due), is_due);
  for (Alarm* alarm : due) {
    if (std::ranges::find(by_hand_, alarm) == by_hand_.end()) continue;
    const auto state = alarm->state_;
    state->set_ns = 0;
    state->ring();
  }
  context_->restart();
  context_->poll();
}

Alarm::Alarm(EventLoop& loop, std::function<void()> ring)
    : loop_(loop), state_(std::make_shared<State>(loop.context(), std::move(ring))) {
  if (loop_.alarms_ == EventLoop::Alarms::kByHand) loop_.by_hand_.push_back(this);
}

Alarm::~Alarm() {
  std::erase(loop_.by_hand_, this);
  state_->closed = true;
  state_->timer.cancel();
}

void Alarm::set(MonotonicNs when_ns) {
  if (state_->set_ns != 0 && state_->set_ns <= when_ns) return;
  state_->set_ns = when_ns;
  if (loop_.alarms_ == EventLoop::Alarms::kByHand) return;
  state_->wait();  // expires_at cancels a wait that is under way
}

}  // namespace noren::server
