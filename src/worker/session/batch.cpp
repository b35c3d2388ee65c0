#include "worker/session/batch.h"

#include <algorithm>

#include "base/limits.h"

namespace noren::worker {

BatchPolicy::Group BatchPolicy::begin(MonotonicNs now_ns) const {
  std::size_t limit = limit_count_;
  if (row_ns_ > 0) {
    const auto soon =
        static_cast<std::size_t>(std::max<std::int64_t>(1, limits::kBatchDurationMs * 1'000'000 / row_ns_));
    limit = std::min(limit, soon);
  } else {
    limit = 1;  // the first run tells how long one takes
  }
  return Group(now_ns, limit, row_ns_);
}

void BatchPolicy::ran(std::size_t rows_count, std::int64_t duration_ns) {
  const std::int64_t row_ns = std::max<std::int64_t>(1, duration_ns / static_cast<std::int64_t>(rows_count));
  // A first run is slower than all others (pages, caches), so the average forgets quickly.
  row_ns_ = row_ns_ == 0 ? row_ns : (row_ns_ * 3 + row_ns) / 4;
}

bool BatchPolicy::Group::has_room(MonotonicNs deadline_ns) const {
  if (size_ == 0) return true;
  if (size_ >= limit_count_) return false;
  const MonotonicNs done_ns = now_ns_ + row_ns_ * static_cast<std::int64_t>(size_ + 1);
  const auto misses = [&](MonotonicNs deadline) { return deadline > 0 && done_ns > deadline; };
  return !misses(deadline_ns) && !misses(deadline_ns_);
}

bool BatchPolicy::Group::admits(const ParsedRequest& request, const Servable& servable) {
  if (size_ == 0) {
    executor_index_ = request.executor_index;
    shapes_.clear();
    if (!servable.batchable(request.executor_index)) limit_count_ = 1;
    if (limit_count_ > 1)
      for (const Tensor& input : request.inputs) shapes_.push_back(input.shape());
    return true;
  }
  return request.executor_index == executor_index_ &&
         std::ranges::equal(request.inputs, shapes_, {}, [](const Tensor& input) { return input.shape(); });
}

void BatchPolicy::Group::add(MonotonicNs deadline_ns) {
  ++size_;
  if (deadline_ns > 0 && (deadline_ns_ == 0 || deadline_ns < deadline_ns_)) deadline_ns_ = deadline_ns;
}

}  // namespace noren::worker
