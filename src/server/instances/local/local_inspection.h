// server/instances/local/local_inspection.h - One import in a throw-away worker, and one probe of the
// sandbox. Used by the local host only, on the event loop's one thread.
#pragma once

#include <functional>
#include <optional>

#include <boost/asio/steady_timer.hpp>

#include "base/limits.h"
#include "server/instances/instance.h"
#include "server/instances/local/local_child.h"

namespace noren::server {

class InspectingChild final : public LocalChild {
 public:
  using Done = std::function<void(Result<Inspection>)>;
  InspectingChild(std::uint64_t id, boost::asio::io_context& io, std::int64_t memory_limit_bytes, Done done);
  /// `starved` is called in place of `done`, as soon as the idle cores are seen to give it too little.
  void when_starved(std::function<void()> starved) { starved_ = std::move(starved); }

  link::ForkRequest bounds() const override { return bounds_; }
  /// After attach().
  void begin(InspectSpec spec, UniqueFd output);
  /// Nobody waits for it any more: it ends at whatever it is.
  void give_up();

 private:
  void deliver(Result<Inspection> inspection);
  Status on_frame(link::Frame& frame, ByteView payload) override;
  void on_finished(const ChildEnd& end) override;
  Result<Inspection> result(const ChildEnd& end);
  bool has_answer() const { return description_.has_value() || refusal_.has_value(); }
  std::optional<std::int64_t> core_time_ns_so_far();
  void watch();
  void on_watched(std::int64_t watched_ms);

  Done done_;
  std::function<void()> starved_;
  link::ForkRequest bounds_;
  boost::asio::steady_timer deadline_;
  std::int64_t window_ms_ = 0;  ///< at idle priority: how often its share is looked at
  std::int64_t left_ms_ = 0;
  std::int64_t core_time_ns_ = 0;  ///< when it was last looked at
  UniqueFd output_;
  std::size_t description_limit_bytes_ = limits::kDescriptionBytes;
  std::optional<std::string> description_;
  std::optional<Error> refusal_;
  bool overdue_ = false;
};

class ProbingChild final : public LocalChild {
 public:
  /// `answered` is called when the sign of life came, not otherwise.
  ProbingChild(std::uint64_t id, std::function<void()> answered)
      : LocalChild(id), answered_(std::move(answered)) {}
  link::ForkRequest bounds() const override;
  void begin();

 private:
  Status on_frame(link::Frame& frame, ByteView payload) override;
  void on_finished(const ChildEnd& end) override;

  std::function<void()> answered_;
  bool has_answered_ = false;
};

}  // namespace noren::server
