#include "server/http/listener/request_id.h"

#include <sodium.h>

#include "base/check.h"

namespace noren::server {

void RequestIds::next(std::array<char, kSize>& text) {
  if (left_count_ == 0) {
    static const bool ready = sodium_init() >= 0;
    CHECK(ready);
    randombytes_buf(random_.data(), sizeof random_);
    left_count_ = kBatchCount;
  }
  std::array<std::uint8_t, 16>& bytes = random_[--left_count_];
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
    text[at++] = kHex[bytes[i] >> 4];
    text[at++] = kHex[bytes[i] & 15];
  }
}

}  // namespace noren::server
