// Deadlines of one constant length: who is put in last is due last, so a list kept in order needs no timer of
// its own.
#pragma once

#include <algorithm>

#include <boost/intrusive/list.hpp>

#include "base/clock.h"

namespace noren::server {

/// A thing with a deadline in at most one DeadlineList; leaves it on destruction.
struct DeadlineHook
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  MonotonicNs due_ns = 0;
  void leave() {
    if (is_linked()) unlink();
  }
};

class DeadlineList {
 public:
  explicit DeadlineList(std::int64_t length_ms) : length_ns_(length_ms * 1'000'000) {}
  /// Moves the hook here from whatever list it is in.
  void put(DeadlineHook& hook, MonotonicNs now_ns) {
    hook.leave();
    hook.due_ns = now_ns + length_ns_;
    list_.push_back(hook);
  }
  /// With a time of its own, which counts as no earlier than that of whoever was put in last.
  void put_due(DeadlineHook& hook, MonotonicNs due_ns) {
    hook.leave();
    hook.due_ns = list_.empty() ? due_ns : std::max(due_ns, list_.back().due_ns);
    list_.push_back(hook);
  }
  /// Null when nothing is due. What is returned has left the list.
  DeadlineHook* take_due(MonotonicNs now_ns) {
    if (list_.empty() || list_.front().due_ns > now_ns) return nullptr;
    return take_first();
  }
  DeadlineHook* take_first() {
    if (list_.empty()) return nullptr;
    DeadlineHook& hook = list_.front();
    list_.pop_front();
    return &hook;
  }
  /// 0: nothing is in it.
  MonotonicNs next_due_ns() const { return list_.empty() ? 0 : list_.front().due_ns; }

 private:
  std::int64_t length_ns_;
  boost::intrusive::list<DeadlineHook, boost::intrusive::constant_time_size<false>> list_;
};

}  // namespace noren::server
