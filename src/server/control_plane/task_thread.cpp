#include "server/control_plane/task_thread.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include <pthread.h>

#include "base/check.h"

namespace noren::server {

using SteadyTime = std::chrono::steady_clock::time_point;

struct TaskThread::State {
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<Task> queue;
  std::multimap<SteadyTime, Task> delayed;
  bool stopping = false;
  std::thread thread;

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      move_due();
      if (!queue.empty()) {
        Task task = std::move(queue.front());
        queue.pop_front();
        lock.unlock();
        task();
        task = nullptr;  // what it holds is released without the lock
        lock.lock();
      } else if (stopping) {
        return;
      } else if (delayed.empty()) {
        wake.wait(lock);
      } else {
        const SteadyTime due = delayed.begin()->first;
        wake.wait_until(lock, due);
      }
    }
  }

  void move_due() {
    if (delayed.empty()) return;
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!delayed.empty() && delayed.begin()->first <= now) {
      queue.push_back(std::move(delayed.begin()->second));
      delayed.erase(delayed.begin());
    }
  }
};

TaskThread::TaskThread(std::string name) : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get(), name = name.substr(0, 15)] {
    ::pthread_setname_np(::pthread_self(), name.c_str());
    state->run();
  });
}

TaskThread::~TaskThread() { stop(); }

void TaskThread::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->delayed.clear();
  }
  state_->wake.notify_all();
  if (!state_->thread.joinable()) return;
  CHECK(state_->thread.get_id() != std::this_thread::get_id());
  state_->thread.join();
}

void TaskThread::post(Task task) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping) return;
    state_->queue.push_back(std::move(task));
  }
  state_->wake.notify_one();
}

void TaskThread::post_after(std::int64_t delay_ms, Task task) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping) return;
    state_->delayed.emplace(std::chrono::steady_clock::now() + std::chrono::milliseconds(delay_ms),
                            std::move(task));
  }
  state_->wake.notify_one();
}

std::size_t TaskThread::waiting_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size();
}

}  // namespace noren::server
