// server/http/listener/request_task.h - RequestTask: the coroutine that serves one request.
// Written by handlers, started, resumed and destroyed by the connection, on the event loop. Its frames come
// from a free list, so a request in the steady state allocates none. An exception that leaves it stops the
// program: ours throw none.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

namespace noren::server {

class RequestTask {
 public:
  struct promise_type {
    RequestTask get_return_object() {
      return RequestTask(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    static void* operator new(std::size_t size);
    static void operator delete(void* frame, std::size_t size);
  };

  RequestTask() = default;
  RequestTask(RequestTask&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  RequestTask& operator=(RequestTask&& other) noexcept {
    if (this != &other) reset(std::exchange(other.handle_, {}));
    return *this;
  }
  ~RequestTask() { reset({}); }

  explicit operator bool() const { return static_cast<bool>(handle_); }
  bool done() const { return handle_.done(); }
  void resume() const { handle_.resume(); }
  void clear() { reset({}); }

 private:
  explicit RequestTask(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  void reset(std::coroutine_handle<promise_type> handle) {
    // Moved out first: destructors in the frame may look at the connection that owns this.
    const auto old = std::exchange(handle_, handle);
    if (old) old.destroy();
  }
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace noren::server
