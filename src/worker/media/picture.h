// worker/media/picture.h - Picture: what a decoder hands on: pixels of 8 or 16 bits, interleaved, rows from
// the top. Made by the decoders, eaten by resize and layout; nobody outside this room sees it. Any thread,
// plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace noren::worker {

/// What is known of the channels beyond their number: it decides how they are resized and what may be left
/// out.
enum class ChannelKind : std::uint8_t {
  kPlain,         ///< channels that know nothing of each other: grey, RGB, CMYK
  kAlpha,         ///< the last channel is alpha
  kPaletteAlpha,  ///< the same, made from a palette's transparency: may be left out
  kGreyTripled,   ///< three equal channels: one of them is as good
};

struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int channels_count = 0;
  int bits_count = 8;  ///< 8 or 16; 16 in the machine's byte order
  ChannelKind kind = ChannelKind::kPlain;
  std::vector<std::uint8_t> bytes;

  std::int64_t row_bytes() const { return width * channels_count * (bits_count / 8); }
  std::uint8_t* row(std::int64_t y) { return bytes.data() + y * row_bytes(); }
  const std::uint8_t* row(std::int64_t y) const { return bytes.data() + y * row_bytes(); }
  bool has_alpha() const { return kind == ChannelKind::kAlpha || kind == ChannelKind::kPaletteAlpha; }
};

/// What a file's header says, before anything is allocated for it.
struct PictureFormat {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int channels_count = 0;
  int bits_count = 8;
  ChannelKind kind = ChannelKind::kPlain;
};

/// An error where a side is zero, or sides, pixels or bytes pass their limits (base/limits.h).
Status check_picture_size(std::int64_t width, std::int64_t height, std::int64_t bytes_per_pixel);

/// A black picture of this format, within the limits.
Result<Picture> make_picture(const PictureFormat& format);

/// "12x7 pixels, 3 channels", width first, for messages.
std::string describe_picture(const Picture& picture);

}  // namespace noren::worker
