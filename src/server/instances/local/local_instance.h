// server/instances/local/local_instance.h - One serving worker, as the host sees it, and the handle that its
// user holds. Used by the local host only, on the event loop's one thread. Checks every word of the worker
// before a listener hears it.
#pragma once

#include <memory>
#include <vector>

#include "server/instances/instance.h"
#include "server/instances/local/local_child.h"
#include "server/instances/local/local_host.h"

namespace noren::server {

class ServingChild final : public LocalChild {
 public:
  ServingChild(std::uint64_t id, const InstanceSpec& spec, const LocalHostOptions& options,
               InstanceListener& listener);

  link::ForkRequest bounds() const override { return bounds_; }
  /// Hands the package over. After attach().
  void load(const InstanceSpec& spec);
  void call(std::uint64_t call_id, const RequestBody& body, MonotonicNs deadline_ns);
  void cancel(std::uint64_t call_id);
  void drain();
  /// There will be no process: says so to the listener.
  void refuse(const std::string& why);
  /// No callback follows.
  void forget_listener() { listener_ = nullptr; }

 private:
  Status on_frame(link::Frame& frame, ByteView payload) override;
  Status on_loaded(const link::FrameHeader& header, ByteView payload);
  Status on_failed(const link::FrameHeader& header, ByteView payload);
  Status on_outcome(const link::FrameHeader& header, ByteView payload);
  Status on_memory(const link::FrameHeader& header);
  void on_finished(const ChildEnd& end) override;

  std::int64_t believable(std::int64_t bytes) const;

  InstanceListener* listener_;
  link::ForkRequest bounds_;
  std::int64_t gpu_memory_limit_bytes_ = 0;
  std::vector<std::uint64_t> in_flight_;
  std::string load_failure_;
  bool loaded_ = false;
  bool load_failed_ = false;
  bool draining_ = false;
  int unasked_count_ = 0;
};

/// What start() gives out.
class LocalInstance final : public Instance {
 public:
  explicit LocalInstance(std::shared_ptr<ServingChild> child) : child_(std::move(child)) {}
  ~LocalInstance() override;
  void call(std::uint64_t call_id, const RequestBody& body, MonotonicNs deadline_ns) override;
  void cancel(std::uint64_t call_id) override { child_->cancel(call_id); }
  void drain() override { child_->drain(); }
  void kill() override { child_->kill(); }
  std::optional<std::int64_t> core_time_ns() const override { return child_->core_time_ns(); }

 private:
  std::shared_ptr<ServingChild> child_;
};

}  // namespace noren::server
