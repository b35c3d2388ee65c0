#include "worker/sandbox/process_state.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace noren::worker {
namespace {

constexpr std::string_view kHarmless[] = {"ORT_DISABLE_TELEMETRY", "LANG",         "LC_ALL",
                                          "LD_LIBRARY_PATH",       "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                          "TSAN_OPTIONS",          "LSAN_OPTIONS"};

#ifdef __SANITIZE_THREAD__
constexpr std::ptrdiff_t kThreadsCount = 2;  // ThreadSanitizer's runtime has one of its own
#else
constexpr std::ptrdiff_t kThreadsCount = 1;
#endif

Status check_threads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  if (error) return internal("/proc/self/task: " + error.message());
  const auto count = std::distance(tasks, {});
  if (count > kThreadsCount) return internal("warming up left " + std::to_string(count) + " threads");
  return Ok{};
}

Status check_descriptors(std::span<const int> expected) {
  std::error_code error;
  std::vector<std::filesystem::path> open;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error))
    open.push_back(entry.path());
  if (error) return internal("/proc/self/fd: " + error.message());
  for (const auto& path : open) {
    const int descriptor = std::atoi(path.filename().c_str());
    if (std::ranges::find(expected, descriptor) != expected.end()) continue;
    const auto target = std::filesystem::read_symlink(path, error);
    if (error) continue;  // the descriptor that listed the folder: it is closed by now
    return internal("warming up left a descriptor open: " + target.string());
  }
  return Ok{};
}

Status check_environment() {
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::find(kHarmless, name) == std::end(kHarmless))
      return internal("the environment holds '" + std::string(name) + "'");
  }
  return Ok{};
}

}  // namespace

Status check_alone(std::span<const int> expected) {
  TRY(check_threads());
  TRY(check_descriptors(expected));
  return check_environment();
}

}  // namespace noren::worker
