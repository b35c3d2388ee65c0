#include "worker/results/warnings.h"

#include "base/result_limits.h"
#include "worker/model_file/text.h"

namespace noren::worker::results {
namespace {

constexpr std::size_t kOfOneFileCount = 3;

}  // namespace

bool Warnings::has_room(std::string_view file) {
  if (list_.size() >= limits::kResultWarningsCount) return false;
  const std::size_t count = ++count_of_file_[std::string(file)];
  if (count == kOfOneFileCount + 1) list_.push_back(shown_name(file) + ": there is more in it like this");
  return count <= kOfOneFileCount;
}

void Warnings::add(std::string_view file, std::string_view what) {
  if (has_room(file)) list_.push_back(shown_name(file) + ": " + std::string(what));
}

void Warnings::add_at(std::string_view file, std::size_t line, std::string_view what) {
  if (has_room(file))
    list_.push_back(shown_name(file) + ", line " + std::to_string(line) + ": " + std::string(what));
}

}  // namespace noren::worker::results
