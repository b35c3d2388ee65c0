#include "base/check.h"
#include "base/limits.h"
#include "worker/protocol/classic/classic.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLimitBytes = 1'000'000;
  const auto body = noren::worker::inflate_gzip({data, size}, kLimitBytes);
  if (!body.ok()) return 0;
  CHECK(body->size_bytes <= kLimitBytes);
  CHECK(body->storage.size() == body->size_bytes + noren::limits::kFramePaddingBytes);
  return 0;
}
