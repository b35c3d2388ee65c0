#include "server/event_loop/event_loop.h"

#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>

namespace noren::server {
namespace {

TEST(EventLoop, GivesWayForASecondAndIsItselfAgain) {
  EventLoop loop;
  std::promise<int> meanwhile;
  std::promise<int> afterwards;
  Alarm later(loop, [&] { afterwards.set_value(::sched_getscheduler(0)); });
  loop.post([&] {
    // A second ago, so that it ends at once: its alarm is set before the one that looks at what is left.
    const MonotonicNs now = system_clock().monotonic_ns();
    loop.give_way(now - 1'000'000'000);
    loop.give_way(now - 1'000'000'000);
    meanwhile.set_value(::sched_getscheduler(0));
    later.set(now + 1'000'000);
  });
  std::thread thread([&loop] { loop.run(); });
  EXPECT_EQ(meanwhile.get_future().get(), SCHED_BATCH);
  EXPECT_EQ(afterwards.get_future().get(), SCHED_OTHER);
  loop.stop();
  thread.join();
}

}  // namespace
}  // namespace noren::server
