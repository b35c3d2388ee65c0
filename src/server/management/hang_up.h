// server/management/hang_up.h - Whether whoever asked is still there: told by the HTTP room, heard by what
// waits in line for him. Any thread.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace noren::server {

class HangUp {
 public:
  /// `heard` is called once, on the thread that tells; at once where that was before.
  void listen(std::function<void()> heard) {
    {
      const std::lock_guard lock(mutex_);
      if (!told_) {
        heard_ = std::move(heard);
        return;
      }
    }
    heard();
  }
  /// Harmless where nobody listens, or all is done.
  void tell() {
    std::function<void()> heard;
    {
      const std::lock_guard lock(mutex_);
      told_ = true;
      heard.swap(heard_);
    }
    if (heard) heard();
  }

 private:
  std::mutex mutex_;
  bool told_ = false;
  std::function<void()> heard_;
};

}  // namespace noren::server
