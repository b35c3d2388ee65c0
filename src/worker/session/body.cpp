#include "worker/session/body.h"

#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"

namespace noren::worker {
Result<PaddedMapping> PaddedMapping::map(int memfd, std::size_t limit_bytes) {
  ASSIGN_OR_RETURN(const std::uint64_t size, size_of(memfd));
  if (size > limit_bytes) return make_error(Code::kTooLarge, "the body is larger than this API takes");
  PaddedMapping mapping;
  if (size == 0) return mapping;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t file_pages = (size + page - 1) / page * page;
  // One page of zeros stays behind the file's last one: parsers may read past the end without a copy.
  void* const place = ::mmap(nullptr, file_pages + page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return system_error(Code::kExhausted, "out of memory", "mmap");
  mapping.mapped_ = file_pages + page;
  mapping.data_ = static_cast<const std::uint8_t*>(place);
  if (::mmap(place, size, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, memfd, 0) == MAP_FAILED)
    return system_error(Code::kExhausted, "out of memory", "mmap");
  mapping.size_ = size;
  return mapping;
}

PaddedMapping::PaddedMapping(PaddedMapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

PaddedMapping& PaddedMapping::operator=(PaddedMapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

PaddedMapping::~PaddedMapping() {
  if (mapped_ > 0) ::munmap(const_cast<std::uint8_t*>(data_), mapped_);
}

}  // namespace noren::worker
