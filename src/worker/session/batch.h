// worker/session/batch.h - How many waiting requests share a run: a pure decision from what earlier runs
// took. Used by the serve loop, on the worker's one thread. Reads no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/clock.h"
#include "link/frame_buffers.h"
#include "worker/session/servable.h"

namespace noren::worker {

/// A request between its arrival and its answer.
struct Waiting {
  enum class State : std::uint8_t { kReceived, kParsed, kAnswered };
  link::Frame frame;
  State state = State::kReceived;
  ParsedRequest request;
};

/// A batch grows while it is below its limit, while it is expected to be over soon (a large model gains
/// nothing from sharing, and its first caller would wait for the last), and while nobody in it would miss a
/// deadline.
class BatchPolicy {
 public:
  explicit BatchPolicy(std::uint32_t limit_count = 1) : limit_count_(limit_count > 0 ? limit_count : 1) {}

  class Group {
   public:
    /// Whether one more request with this deadline (0: none) fits.
    bool has_room(MonotonicNs deadline_ns) const;
    /// Whether it can share the run of those that are in: always true for the first one.
    bool admits(const ParsedRequest& request, const Servable& servable);
    void add(MonotonicNs deadline_ns);
    /// The earliest one; 0 where none has one.
    MonotonicNs deadline_ns() const { return deadline_ns_; }
    std::size_t size() const { return size_; }

   private:
    friend class BatchPolicy;
    Group(MonotonicNs now_ns, std::size_t limit_count, std::int64_t row_ns)
        : now_ns_(now_ns), limit_count_(limit_count), row_ns_(row_ns) {}
    MonotonicNs now_ns_;
    std::size_t limit_count_;
    std::int64_t row_ns_;
    std::size_t size_ = 0;
    MonotonicNs deadline_ns_ = 0;
    std::size_t executor_index_ = 0;
    std::vector<Shape> shapes_;
  };

  Group begin(MonotonicNs now_ns) const;
  /// A run of that many requests took so long, from parsing to printing.
  void ran(std::size_t rows_count, std::int64_t duration_ns);

 private:
  std::size_t limit_count_;
  std::int64_t row_ns_ = 0;  ///< moving average; 0: nothing ran yet
};

}  // namespace noren::worker
