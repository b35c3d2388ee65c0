// base/hang_up.h - Whether whoever asked is still there: told by the HTTP room, heard by what waits in line
// or works for him. Any thread.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace noren {

class HangUp {
 public:
  /// `heard` is called once, on the thread that tells; at once where that was before. It takes the place of
  /// an earlier one, which is heard no more.
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
  bool is_told() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  mutable std::mutex mutex_;
  bool told_ = false;
  std::function<void()> heard_;
};

}  // namespace noren
