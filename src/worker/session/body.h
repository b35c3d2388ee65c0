// worker/session/body.h - A large request's body where parsers can read it: mapped and padded, not copied.
// Used by the serve loop, on the worker's one thread. Bounded by the limit that the server set for the API.
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace noren::worker {

/// A whole memfd in memory with limits::kFramePaddingBytes readable bytes behind it.
class PaddedMapping {
 public:
  static Result<PaddedMapping> map(int memfd, std::size_t limit_bytes);
  PaddedMapping() = default;
  PaddedMapping(PaddedMapping&& other) noexcept;
  PaddedMapping& operator=(PaddedMapping&& other) noexcept;
  ~PaddedMapping();
  ByteView bytes() const { return {data_, size_}; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace noren::worker
