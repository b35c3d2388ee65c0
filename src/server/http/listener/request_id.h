// Request ids: UUIDs version 4 from the system's random numbers, fetched many at a time (a system call for
// each would show).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace noren::server {

class RequestIds {
 public:
  static constexpr std::size_t kSize = 36;
  /// Writes the next id. Event loop only.
  void next(std::array<char, kSize>& text);

 private:
  static constexpr std::size_t kBatchCount = 256;
  std::array<std::array<std::uint8_t, 16>, kBatchCount> random_{};
  std::size_t left_count_ = 0;
};

}  // namespace noren::server
