#include "server/http/listener/request_task.h"

#include <array>
#include <new>
#include <vector>

namespace noren::server {
namespace {

// Frames of one handler have one size, so a handful of sizes covers all; others go to the heap.
class FrameCache {
 public:
  ~FrameCache() {
    for (Shelf& shelf : shelves_)
      for (void* frame : shelf.frames) ::operator delete(frame);
  }
  void* take(std::size_t size) {
    Shelf* shelf = shelf_of(size);
    if (shelf == nullptr || shelf->frames.empty()) return ::operator new(size);
    void* frame = shelf->frames.back();
    shelf->frames.pop_back();
    return frame;
  }
  void put(void* frame, std::size_t size) {
    Shelf* shelf = shelf_of(size);
    if (shelf == nullptr || shelf->frames.size() >= kFramesKeptCount) return ::operator delete(frame);
    shelf->frames.push_back(frame);
  }

 private:
  static constexpr std::size_t kFramesKeptCount = 1024;
  struct Shelf {
    std::size_t size = 0;
    std::vector<void*> frames;
  };
  Shelf* shelf_of(std::size_t size) {
    for (Shelf& shelf : shelves_) {
      if (shelf.size == size) return &shelf;
      if (shelf.size != 0) continue;
      shelf.size = size;
      return &shelf;
    }
    return nullptr;
  }
  std::array<Shelf, 4> shelves_;
};

FrameCache& frames() {
  static thread_local FrameCache cache;
  return cache;
}

}  // namespace

void* RequestTask::promise_type::operator new(std::size_t size) { return frames().take(size); }
void RequestTask::promise_type::operator delete(void* frame, std::size_t size) { frames().put(frame, size); }

}  // namespace noren::server
