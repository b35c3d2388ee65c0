#include "server/control_plane/task_thread.h"

#include <atomic>
#include <future>
#include <vector>

#include <gtest/gtest.h>

namespace noren::server {
namespace {

TEST(TaskThread, TasksRunInOrderOnOneThread) {
  std::vector<int> order;
  {
    TaskThread thread("test");
    for (int i = 0; i < 100; ++i) thread.post([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(TaskThread, ATaskMayPostAndStopRunsWhatIsQueued) {
  std::atomic<int> ran = 0;
  TaskThread thread("test");
  thread.post([&] { thread.post([&] { ++ran; }); });
  std::promise<void> reached;
  thread.post([&] { reached.set_value(); });
  reached.get_future().wait();
  thread.stop();
  EXPECT_EQ(ran, 1);
  thread.post([&] { ++ran; });
  EXPECT_EQ(ran, 1);
}

TEST(TaskThread, DelayedTasksRunInTheOrderOfTheirTimesAndNotAfterStop) {
  std::vector<int> order;
  std::promise<void> done;
  TaskThread thread("test");
  thread.post_after(20, [&] {
    order.push_back(2);
    done.set_value();
  });
  thread.post_after(1, [&] { order.push_back(1); });
  thread.post_after(3'600'000, [&] { order.push_back(3); });
  done.get_future().wait();
  thread.stop();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace noren::server
