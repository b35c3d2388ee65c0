// server/control_plane/task_thread.h - A thread with a queue of tasks: the control thread, and one for large
// files. Any thread may post; tasks run one after the other, in order. Everything that touches the store is a
// task of the control thread, so the store needs no lock. A task never waits for another one of the same
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace noren::server {

using Task = std::function<void()>;

class TaskThread {
 public:
  explicit TaskThread(std::string name);
  /// Runs what is queued (not what is delayed), then ends the thread.
  ~TaskThread();
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  void post(Task task);
  /// At the earliest after `delay_ms`.
  void post_after(std::int64_t delay_ms, Task task);
  /// As ~TaskThread; later posts are dropped.
  void stop();
  /// Tasks that have not begun, without the delayed ones.
  std::size_t waiting_count() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace noren::server
