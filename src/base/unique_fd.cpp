#include "base/unique_fd.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace noren {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<UniqueFd> create_memfd(const char* name) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return system_error(Code::kUnavailable, "out of descriptors or memory", "memfd_create");
  return fd;
}

Status seal(int memfd) {
  if (::fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    return system_error(Code::kInternal, "internal error", "seal memfd");
  return Ok{};
}

Status write_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(Code::kUnavailable, "could not write", "write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return Ok{};
}

Result<UniqueFd> sealed_memfd(const char* name, std::span<const std::uint8_t> bytes) {
  ASSIGN_OR_RETURN(UniqueFd fd, create_memfd(name));
  TRY(write_all(fd.get(), bytes));
  TRY(seal(fd.get()));
  return fd;
}

Result<std::uint64_t> size_of(int fd) {
  struct stat status {};
  // The C library's fstat may go through the call for paths, which a worker's sandbox refuses.
  if (::syscall(SYS_fstat, fd, &status) != 0) return system_error(Code::kInternal, "internal error", "fstat");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<Mapping> Mapping::map(int fd) {
  ASSIGN_OR_RETURN(const std::uint64_t size, size_of(fd));
  Mapping mapping;
  if (size == 0) return mapping;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address == MAP_FAILED) return system_error(Code::kUnavailable, "out of memory", "mmap");
  mapping.data_ = static_cast<const std::uint8_t*>(address);
  mapping.size_ = size;
  return mapping;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(const_cast<std::uint8_t*>(data_), size_);
}

}  // namespace noren
