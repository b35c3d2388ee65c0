#include "worker/session/memory_meter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "worker/sandbox/sandbox.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kLookEveryNs = 200'000'000;

std::int64_t kibibytes_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  std::string_view rest = text.substr(at + name.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  std::int64_t value = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return value;
}

/// The most that was ever resident, shared pages included.
std::int64_t peak_bytes() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss * static_cast<std::int64_t>(limits::kKiB)
                                               : 0;
}

}  // namespace

MemoryMeter::MemoryMeter(UniqueFd statm, UniqueFd smaps_rollup)
    : statm_(std::move(statm)), smaps_rollup_(std::move(smaps_rollup)), birth_bytes_(anonymous_bytes()) {}

std::int64_t MemoryMeter::anonymous_bytes() const {
  const auto use = read_memory_use(statm_.get());
  return use.ok() ? use->resident_bytes - use->shared_bytes : 0;
}

std::int64_t MemoryMeter::estimate() {
  peak_then_bytes_ = peak_bytes();
  return told_bytes_ =
             limits::kWorkerBirthBytes + std::max<std::int64_t>(0, anonymous_bytes() - birth_bytes_);
}

std::optional<std::int64_t> MemoryMeter::tell(std::int64_t bytes) {
  const std::int64_t much = std::max<std::int64_t>(limits::kMiB, told_bytes_ / 10);
  if (std::abs(bytes - told_bytes_) < much) return std::nullopt;
  return told_bytes_ = bytes;
}

std::optional<std::int64_t> MemoryMeter::measure_once() {
  if (!smaps_rollup_.valid()) return std::nullopt;
  std::array<char, 4096> text{};
  const ssize_t size = ::pread(smaps_rollup_.get(), text.data(), text.size(), 0);
  smaps_rollup_.reset();
  if (size <= 0) return std::nullopt;
  const std::string_view view(text.data(), static_cast<std::size_t>(size));
  const std::int64_t kibibytes =
      kibibytes_after(view, "Private_Clean:") + kibibytes_after(view, "Private_Dirty:");
  peak_then_bytes_ = peak_bytes();
  return tell(std::max<std::int64_t>(told_bytes_, kibibytes * static_cast<std::int64_t>(limits::kKiB)));
}

std::optional<std::int64_t> MemoryMeter::grown(MonotonicNs now_ns) {
  if (now_ns - looked_ns_ < kLookEveryNs) return std::nullopt;
  looked_ns_ = now_ns;
  const std::int64_t peak = peak_bytes();
  const auto told = tell(told_bytes_ + peak - peak_then_bytes_);
  if (told.has_value()) peak_then_bytes_ = peak;
  return told;
}

}  // namespace noren::worker
