#include "link/frame.h"

#include <bit>
#include <cstring>

namespace noren::link {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are written as they lie in memory");

template <typename T>
void put(std::span<std::uint8_t, kHeaderBytes> out, std::size_t offset, T value) {
  std::memcpy(out.data() + offset, &value, sizeof value);
}
template <typename T>
T get(std::span<const std::uint8_t, kHeaderBytes> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace

Error broken_frame(std::string_view what) {
  return make_error(Code::kCorrupt, "broken frame", std::string(what));
}

void encode_header(const FrameHeader& header, std::span<std::uint8_t, kHeaderBytes> out) {
  put(out, 0, kVersion);
  put(out, 1, static_cast<std::uint8_t>(header.type));
  put(out, 2, header.flags);
  put(out, 4, header.payload_bytes);
  put(out, 8, header.id);
  put(out, 16, header.time_ns);
  put(out, 24, header.code);
  put(out, 28, header.count);
}

Result<FrameHeader> decode_header(std::span<const std::uint8_t, kHeaderBytes> bytes,
                                  std::size_t payload_limit_bytes) {
  if (bytes[0] != kVersion) return broken_frame("version");
  if (bytes[1] == 0 || bytes[1] > static_cast<std::uint8_t>(kLastFrameType)) return broken_frame("type");
  FrameHeader header;
  header.type = static_cast<FrameType>(bytes[1]);
  header.flags = get<std::uint16_t>(bytes, 2);
  header.payload_bytes = get<std::uint32_t>(bytes, 4);
  header.id = get<std::uint64_t>(bytes, 8);
  header.time_ns = get<std::int64_t>(bytes, 16);
  header.code = get<std::uint32_t>(bytes, 24);
  header.count = get<std::uint32_t>(bytes, 28);
  if ((header.flags & ~kKnownFlags) != 0) return broken_frame("flags");
  if (header.payload_bytes > payload_limit_bytes) return broken_frame("payload size");
  return header;
}

}  // namespace noren::link
