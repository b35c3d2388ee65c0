#include "worker/sandbox/heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/limits.h"

namespace noren::worker {
namespace {

// What a small model's session and its first request take.
constexpr std::size_t kFirstHeapBytes = limits::kMiB;
// A block of this size and larger is given back by unmapping it.
constexpr std::size_t kMapAloneBytes = 32 * limits::kMiB;
constexpr std::size_t kHoleStepBytes = 16;
constexpr std::size_t kSmallHoleBytes = 1'040;
constexpr std::size_t kHugePageBytes = 2 * limits::kMiB;
constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, newer than Debian 12's C library
constexpr int kCollapse = 25;       // MADV_COLLAPSE, the same

/// False where another allocator stands in for the C library's, such as a sanitizer's: nothing that
/// mallinfo2() says is about its blocks.
bool heap_is_of_c_library() {
  const std::size_t used_before = ::mallinfo2().uordblks;
  // volatile: a compiler leaves out what is unused.
  void* volatile const block = std::malloc(kSmallHoleBytes);
  const bool is_counted = ::mallinfo2().uordblks != used_before;
  std::free(block);
  return is_counted;
}

/// Takes holes of this size until one would come from the end of the heap.
void fill_holes_of(std::size_t size_bytes) {
  while (true) {
    const std::size_t end_before = ::mallinfo2().keepcost;
    void* const block = std::malloc(size_bytes);
    if (block == nullptr) return;
    if (::mallinfo2().keepcost == end_before) continue;  // kept for good: it was a hole
    std::free(block);
    return;
  }
}

}  // namespace

void tune_heap() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(kMapAloneBytes));
  ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(2 * kMapAloneBytes));
  ::mallopt(M_TOP_PAD, static_cast<int>(kFirstHeapBytes));
}

void fill_heap_holes() {
  if (!heap_is_of_c_library()) return;
  for (std::size_t size_bytes = kFirstHeapBytes; size_bytes > kSmallHoleBytes; size_bytes -= size_bytes / 8)
    fill_holes_of(size_bytes);
  for (std::size_t size_bytes = kSmallHoleBytes; size_bytes >= kHoleStepBytes; size_bytes -= kHoleStepBytes)
    fill_holes_of(size_bytes);
}

void join_heap_pages() {
  if (!heap_is_of_c_library()) return;
  // The end stays as it is: it is what a child writes to.
  const struct mallinfo2 heap = ::mallinfo2();
  const auto heap_end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  const std::uintptr_t begin = (heap_end - heap.arena + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  const std::uintptr_t end = (heap_end - heap.keepcost) / kHugePageBytes * kHugePageBytes;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, kCollapse);
}

void populate_heap() {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto heap_end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  const std::size_t room_bytes = ::mallinfo2().keepcost;
  const std::uintptr_t begin = (heap_end - room_bytes + page - 1) / page * page;
  if (begin >= heap_end) return;
  const std::size_t size_bytes = std::min<std::size_t>(heap_end - begin, kFirstHeapBytes);
  ::madvise(reinterpret_cast<void*>(begin), size_bytes, kPopulateWrite);
}

}  // namespace noren::worker
