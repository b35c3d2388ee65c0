// base/bytes.h - Names for views of bytes, and the two conversions between text and bytes.
// Anyone, any thread. Owns nothing, copies nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace noren {

using ByteView = std::span<const std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

inline ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace noren
