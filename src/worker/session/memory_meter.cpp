#include "worker/session/memory_meter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"

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

std::int64_t MemoryMeter::measure() {
  peak_then_bytes_ = peak_bytes();
  std::array<char, 4096> text{};
  const ssize_t size = smaps_rollup_.valid() ? ::pread(smaps_rollup_.get(), text.data(), text.size(), 0) : -1;
  if (size <= 0) return told_bytes_ = 0;
  const std::string_view view(text.data(), static_cast<std::size_t>(size));
  const std::int64_t kibibytes =
      kibibytes_after(view, "Private_Clean:") + kibibytes_after(view, "Private_Dirty:");
  return told_bytes_ = kibibytes * static_cast<std::int64_t>(limits::kKiB);
}

std::optional<std::int64_t> MemoryMeter::grown(MonotonicNs now_ns) {
  if (now_ns - looked_ns_ < kLookEveryNs) return std::nullopt;
  looked_ns_ = now_ns;
  const std::int64_t grown_bytes = peak_bytes() - peak_then_bytes_;
  if (grown_bytes < std::max<std::int64_t>(limits::kMiB, told_bytes_ / 10)) return std::nullopt;
  peak_then_bytes_ += grown_bytes;
  return told_bytes_ += grown_bytes;
}

}  // namespace noren::worker
