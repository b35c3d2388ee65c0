#include "worker/sandbox/heap.h"

#include <malloc.h>

#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

namespace noren::worker {
namespace {

#ifndef NOREN_SANITIZED  // where another allocator stands in, and nothing is filled

TEST(Heap, OnceItsHolesAreFilledABlockComesFromItsEnd) {
  constexpr std::size_t kHoleBytes = 4'096;
  tune_heap();
  std::vector<void*> blocks(200);
  for (void*& block : blocks) block = std::malloc(kHoleBytes);
  for (std::size_t i = 0; i < blocks.size(); i += 2) std::free(blocks[i]);
  const auto comes_from_end = [] {
    const std::size_t end_bytes = ::mallinfo2().keepcost;
    void* volatile const block = std::malloc(kHoleBytes);  // kept: it would be a hole again
    return block != nullptr && ::mallinfo2().keepcost != end_bytes;
  };
  EXPECT_FALSE(comes_from_end());
  fill_heap_holes();
  EXPECT_TRUE(comes_from_end());
}

#endif

}  // namespace
}  // namespace noren::worker
