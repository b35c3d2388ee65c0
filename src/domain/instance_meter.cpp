#include "domain/instance_meter.h"

#include <algorithm>

#include "base/limits.h"

namespace noren {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
/// How far the two clocks may drift apart between two passes without being believed to have jumped.
constexpr std::int64_t kJumpUs = 1'000'000;

}  // namespace

void InstanceMeter::set(std::uint32_t api_number, const Schedule& schedule, InstancesServing serving,
                        WallUs now_us, MonotonicNs now_ns) {
  if (serving.count == 0 && !apis_.contains(api_number)) return;
  Api& api = apis_[api_number];
  if (api.serving.count > 0) {
    // A wall clock that jumped ahead (set by hand, or a machine that slept) is no time that anything ran.
    const std::int64_t elapsed_us = (now_ns - api.counted_ns) / 1'000;
    TimeSpan rest{api.counted_us, now_us};
    if (now_us - api.counted_us > elapsed_us + kJumpUs) rest.from_us = now_us - elapsed_us;
    while (const auto piece = schedule.first_overlap(rest)) {
      count(api_number, api, *piece);
      rest.from_us = piece->until_us;
    }
  }
  api.serving = serving;
  api.counted_ns = now_ns;
  // One that jumped back counts nothing until it has caught up: no moment is counted twice.
  api.counted_us = std::max(api.counted_us, now_us);
  if (serving.count == 0) apis_.erase(api_number);
}

void InstanceMeter::count(std::uint32_t api_number, Api& api, const TimeSpan& piece) {
  for (int slot = 0; slot < api.serving.count; ++slot) {
    const auto at = static_cast<std::size_t>(slot);
    if (at == api.rows.size())
      api.rows.push_back({api_number, slot, api.serving.on_gpu, {piece.from_us, piece.from_us}});
    InstanceTime& row = api.rows[at];
    if (row.span.until_us != piece.from_us || row.on_gpu != api.serving.on_gpu)
      row = {api_number, slot, api.serving.on_gpu, {piece.from_us, piece.from_us}};
    row.span.until_us = piece.until_us;
    const auto [waiting, is_new] = unstored_.try_emplace({api_number, slot, row.span.from_us});
    waiting->second.row = row;
    if (is_new) waiting->second.is_partly_stored = row.span.from_us != piece.from_us;
  }
}

std::vector<InstanceTime> InstanceMeter::unstored() const {
  std::vector<InstanceTime> rows;
  rows.reserve(unstored_.size());
  for (const auto& [identity, waiting] : unstored_) rows.push_back(waiting.row);
  return rows;
}

std::vector<InstanceTime> InstanceMeter::next_to_store() const {
  std::vector<InstanceTime> rows;
  for (const auto& [identity, waiting] : unstored_)
    if (waiting.is_in_doubt) rows.push_back(waiting.row);
  return rows.empty() ? unstored() : rows;
}

void InstanceMeter::on_stored(const std::vector<InstanceTime>& rows) {
  for (const InstanceTime& row : rows) {
    const auto found = unstored_.find({row.api_number, row.slot, row.span.from_us});
    if (found == unstored_.end()) continue;
    if (found->second.row.span.until_us <= row.span.until_us) {
      unstored_.erase(found);
      continue;
    }
    found->second.is_partly_stored = true;
    found->second.is_in_doubt = false;
  }
}

void InstanceMeter::on_not_stored(const std::vector<InstanceTime>& rows) {
  for (const InstanceTime& row : rows) {
    const auto found = unstored_.find({row.api_number, row.slot, row.span.from_us});
    if (found != unstored_.end()) found->second.is_in_doubt = true;
  }
  if (unstored_.size() > limits::kUnstoredTimesCount) join(Join::kWithinDays);
  if (unstored_.size() > limits::kUnstoredTimesCount) join(Join::kAny);
}

bool InstanceMeter::is_growing(const InstanceTime& row) const {
  const auto api = apis_.find(row.api_number);
  if (api == apis_.end()) return false;
  const auto slot = static_cast<std::size_t>(row.slot);
  const std::vector<InstanceTime>& rows = api->second.rows;
  return slot < rows.size() && rows[slot].span.from_us == row.span.from_us;
}

/// A row that follows on another one of its instance becomes the end of that one, moved forward to it. It
/// ends no later than before, so it meets nothing else.
void InstanceMeter::join(Join how) {
  auto before = unstored_.end();
  for (auto it = unstored_.begin(); it != unstored_.end();) {
    const InstanceTime& row = it->second.row;
    const bool follows = before != unstored_.end() && before->second.row.api_number == row.api_number &&
                         before->second.row.slot == row.slot && before->second.row.on_gpu == row.on_gpu;
    const bool may_join =
        follows && !it->second.is_partly_stored && !it->second.is_in_doubt && !is_growing(row) &&
        (how == Join::kAny || utc_day(before->second.row.span.from_us) == utc_day(row.span.until_us - 1));
    if (!may_join) {
      before = it++;
      continue;
    }
    before->second.row.span.until_us += row.span.until_us - row.span.from_us;
    it = unstored_.erase(it);
  }
}

std::map<std::int32_t, InstanceSeconds> instance_seconds_by_day(std::vector<InstanceTime> rows) {
  std::sort(rows.begin(), rows.end(), [](const InstanceTime& a, const InstanceTime& b) {
    return std::tuple(a.slot, a.on_gpu, a.span.from_us) < std::tuple(b.slot, b.on_gpu, b.span.from_us);
  });
  std::map<std::int32_t, InstanceSeconds> days;
  const InstanceTime* before = nullptr;
  WallUs counted_us = 0;
  for (const InstanceTime& row : rows) {
    const bool is_same = before != nullptr && before->slot == row.slot && before->on_gpu == row.on_gpu;
    WallUs from_us = is_same ? std::max(row.span.from_us, counted_us) : row.span.from_us;
    while (from_us < row.span.until_us) {
      const std::int32_t day = utc_day(from_us);
      const WallUs until_us = std::min(row.span.until_us, (std::int64_t{day} + 1) * kDayUs);
      (row.on_gpu ? days[day].gpu_s : days[day].cpu_s) += until_us - from_us;
      from_us = until_us;
    }
    counted_us = is_same ? std::max(counted_us, row.span.until_us) : row.span.until_us;
    before = &row;
  }
  for (auto& [day, seconds] : days) {  // microseconds until here
    seconds.cpu_s /= 1'000'000;
    seconds.gpu_s /= 1'000'000;
  }
  return days;
}

}  // namespace noren
