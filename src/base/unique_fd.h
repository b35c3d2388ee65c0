// base/unique_fd.h - UniqueFd: a file descriptor with one owner, and memfd helpers.
// Anyone, any thread. Never throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace noren {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

/// A new anonymous memory file (close-on-exec, sealable). `name` shows in /proc only.
Result<UniqueFd> create_memfd(const char* name);
/// A sealed memory file with these bytes: nobody can change, grow or shrink it any more.
Result<UniqueFd> sealed_memfd(const char* name, std::span<const std::uint8_t> bytes);
/// Adds the seals (write, grow, shrink, seal).
Status seal(int memfd);
Status write_all(int fd, std::span<const std::uint8_t> bytes);
/// Size of the file behind the descriptor, in bytes.
Result<std::uint64_t> size_of(int fd);

/// A read-only private mapping of a whole file, unmapped on destruction. Empty for an empty file.
class Mapping {
 public:
  static Result<Mapping> map(int fd);
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace noren
