// BMP, our own: headers of OS/2 and Windows, 1 4 8 16 24 32 bits, bit fields, RLE4 and RLE8. Colours as the
// reference shows them: a palette that is i → (i,i,i) is grey, one of black and white gives 0 and 1, all else
// is RGB; RGBA only with an alpha mask.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "worker/media/decoders.h"

namespace noren::worker {
namespace {

constexpr std::size_t kFileHeaderBytes = 14;
constexpr std::uint32_t kCoreHeaderBytes = 12;
constexpr std::uint32_t kColorsCount = 65'536;

enum Compression : std::uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };

struct Header {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool is_top_down = false;
  std::uint32_t bits_count = 0;
  std::uint32_t compression = kRaw;
  std::uint32_t colors_count = 0;
  std::uint32_t color_bytes = 4;
  std::array<std::uint32_t, 4> masks = {};  ///< red, green, blue, alpha
  std::size_t end = 0;                      ///< behind header and masks: here the palette begins
  std::size_t pixels_at = 0;
};

std::uint32_t number(ByteView file, std::size_t at, std::size_t size_bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = size_bytes; i-- > 0;) value = value << 8 | file[at + i];
  return value;
}

Error ends_early() { return invalid("the BMP file ends early"); }

void read_core_header(ByteView file, Header& header) {
  header.width = number(file, 18, 2);
  header.height = number(file, 20, 2);
  header.bits_count = number(file, 24, 2);
  header.color_bytes = 3;
}

void read_info_header(ByteView file, Header& header) {
  header.width = number(file, 18, 4);
  header.height = number(file, 22, 4);
  header.is_top_down = file[25] == 0xFF;
  if (header.is_top_down) header.height = (std::int64_t{1} << 32) - header.height;
  header.bits_count = number(file, 28, 2);
  header.compression = number(file, 30, 4);
  header.colors_count = number(file, 46, 4);
}

/// The masks stand in the header where it is long enough, else right behind it. Only V3 headers and later
/// have alpha.
Status read_masks(ByteView file, std::uint32_t header_bytes, Header& header) {
  const std::size_t count = header_bytes >= 56 ? 4 : 3;
  if (header_bytes < 52) header.end += 12;
  if (file.size() < kFileHeaderBytes + 40 + 4 * count) return ends_early();
  for (std::size_t i = 0; i < count; ++i) header.masks[i] = number(file, kFileHeaderBytes + 40 + 4 * i, 4);
  if (header.bits_count == 32 && header.masks == std::array<std::uint32_t, 4>{})
    header.masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
  if (header.bits_count != 32) header.masks[3] = 0;
  return Ok{};
}

void default_masks(Header& header) {
  if (header.bits_count == 16) header.masks = {0x7C00, 0x3E0, 0x1F, 0};
  if (header.bits_count == 24 || header.bits_count == 32) header.masks = {0xFF0000, 0xFF00, 0xFF, 0};
}

Status check_kind(const Header& header) {
  const std::uint32_t bits = header.bits_count;
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
    return unsupported("the BMP file has " + std::to_string(bits) + " bits a pixel, which is not read");
  const bool is_known = header.compression == kRaw || (header.compression == kBitFields && bits >= 16) ||
                        (header.compression == kRle8 && bits == 8) ||
                        (header.compression == kRle4 && bits == 4);
  if (!is_known)
    return unsupported("the BMP file's compression " + std::to_string(header.compression) + " with " +
                       std::to_string(bits) + " bits a pixel is not read");
  return check_picture_size(header.width, header.height, 1);
}

Result<Header> read_header(ByteView file) {
  if (file.size() < kFileHeaderBytes + 4) return ends_early();
  const std::uint32_t header_bytes = number(file, kFileHeaderBytes, 4);
  constexpr std::array<std::uint32_t, 7> kKnown = {kCoreHeaderBytes, 40, 52, 56, 64, 108, 124};
  if (std::find(kKnown.begin(), kKnown.end(), header_bytes) == kKnown.end())
    return unsupported("the BMP file's header of " + std::to_string(header_bytes) + " bytes is not read");
  Header header;
  header.end = kFileHeaderBytes + header_bytes;
  if (file.size() < header.end) return ends_early();
  header_bytes == kCoreHeaderBytes ? read_core_header(file, header) : read_info_header(file, header);
  TRY(check_kind(header));
  default_masks(header);
  if (header.compression == kBitFields) TRY(read_masks(file, header_bytes, header));
  header.pixels_at = number(file, 10, 4);
  if (header.bits_count <= 8) {
    if (header.colors_count == 0) header.colors_count = 1u << header.bits_count;
    if (header.colors_count > kColorsCount) return invalid("the BMP file's palette is too large");
    const std::size_t palette_bytes = std::size_t{header.colors_count} * header.color_bytes;
    // Some writers forget the palette in the offset.
    if (header.pixels_at == header.end || header.pixels_at == 0)
      header.pixels_at = header.end + palette_bytes;
  } else if (header.pixels_at == 0) {
    header.pixels_at = header.end;
  }
  if (header.pixels_at > file.size()) return ends_early();
  return header;
}

struct Palette {
  std::array<std::array<std::uint8_t, 3>, 256> colors = {};  ///< red, green, blue
  bool is_grey = false;                                      ///< i → (i,i,i), or black and white of 1 bit
};

Palette read_palette(ByteView file, const Header& header) {
  Palette palette;
  const bool is_bilevel = header.bits_count == 1 && header.colors_count == 2;
  // Two colours are grey only as the black and white of 1 bit.
  palette.is_grey = header.colors_count <= palette.colors.size() && (is_bilevel || header.colors_count != 2);
  for (std::size_t i = 0; i < std::min<std::size_t>(header.colors_count, palette.colors.size()); ++i) {
    const std::size_t at = header.end + i * header.color_bytes;
    if (at + 3 > file.size()) {
      palette.is_grey = false;
      break;
    }
    palette.colors[i] = {file[at + 2], file[at + 1], file[at]};
    const auto level = static_cast<std::uint8_t>(is_bilevel && i == 1 ? 255 : i);
    if (palette.colors[i] != std::array<std::uint8_t, 3>{level, level, level}) palette.is_grey = false;
  }
  return palette;
}

/// Packed rows, in the file's order of rows, to one index a byte.
Status read_indices(ByteView pixels, const Header& header, std::uint8_t* out) {
  const auto width = static_cast<std::size_t>(header.width);
  const std::size_t stride = (width * header.bits_count + 31) / 32 * 4;
  const std::size_t used = (width * header.bits_count + 7) / 8;
  const std::uint32_t per_byte = 8 / header.bits_count;
  const std::uint32_t mask = (1u << header.bits_count) - 1;
  for (std::int64_t y = 0; y < header.height; ++y) {
    if (pixels.size() < used) return ends_early();
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t shift = 8 - header.bits_count * (x % per_byte + 1);
      *out++ = static_cast<std::uint8_t>(pixels[x / per_byte] >> shift & mask);
    }
    pixels = pixels.subspan(std::min(stride, pixels.size()));
  }
  return Ok{};
}

/// Run lengths to indices: one long row, as skips may wrap around the right edge.
class RunLengths {
 public:
  RunLengths(ByteView pixels, const Header& header, std::uint8_t* out)
      : pixels_(pixels),
        width_(static_cast<std::size_t>(header.width)),
        count_(width_ * static_cast<std::size_t>(header.height)),
        nibbles_(header.compression == kRle4),
        out_(out) {}

  /// What no code touches stays index 0. An error where the codes stop without saying so.
  Status decode() {
    while (done_ < count_) {
      if (pixels_.size() - at_ < 2) return ends_early();
      const std::uint8_t first = pixels_[at_++];
      const std::uint8_t second = pixels_[at_++];
      if (first != 0) {
        run(first, second);
      } else if (second == 0) {
        if (done_ % width_ != 0) done_ += width_ - done_ % width_;
        x_ = 0;
      } else if (second == 1) {
        return Ok{};
      } else if (second == 2) {
        TRY(skip());
      } else {
        TRY(literal(second));
      }
    }
    return Ok{};
  }

 private:
  void put(std::uint8_t index) {
    if (done_ < count_) out_[done_] = index;
    ++done_;
  }
  void run(std::size_t length, std::uint8_t value) {
    length = std::min(length, x_ < width_ ? width_ - x_ : 0);  // a run never leaves its row
    for (std::size_t i = 0; i < length; ++i)
      put(!nibbles_ ? value : static_cast<std::uint8_t>(i % 2 == 0 ? value >> 4 : value & 15));
    x_ += length;
  }
  Status skip() {
    if (pixels_.size() - at_ < 2) return ends_early();
    done_ += pixels_[at_] + pixels_[at_ + 1] * width_;
    x_ = done_ % width_;
    at_ += 2;
    return Ok{};
  }
  Status literal(std::size_t length) {
    const std::size_t bytes = nibbles_ ? (length + 1) / 2 : length;
    if (pixels_.size() - at_ < bytes) return ends_early();
    for (std::size_t i = 0; i < length; ++i) {
      const std::uint8_t byte = pixels_[at_ + (nibbles_ ? i / 2 : i)];
      put(!nibbles_ ? byte : static_cast<std::uint8_t>(i % 2 == 0 ? byte >> 4 : byte & 15));
    }
    x_ += length;
    at_ = std::min(at_ + bytes + bytes % 2, pixels_.size());
    return Ok{};
  }

  ByteView pixels_;
  std::size_t width_;
  std::size_t count_;
  bool nibbles_;
  std::uint8_t* out_;
  std::size_t at_ = 0;
  std::size_t done_ = 0;
  std::size_t x_ = 0;
};

void flip_rows(Picture& picture) {
  for (std::int64_t y = 0; y < picture.height / 2; ++y)
    std::swap_ranges(picture.row(y), picture.row(y) + picture.row_bytes(),
                     picture.row(picture.height - 1 - y));
}

Result<Picture> read_palette_pixels(ByteView file, const Header& header) {
  const Palette palette = read_palette(file, header);
  ASSIGN_OR_RETURN(Picture indices, make_picture({header.width, header.height, 1, 8, ChannelKind::kPlain}));
  const ByteView pixels = file.subspan(header.pixels_at);
  if (header.compression == kRaw) {
    TRY(read_indices(pixels, header, indices.bytes.data()));
  } else {
    TRY(RunLengths(pixels, header, indices.bytes.data()).decode());
  }
  if (palette.is_grey) return indices;
  ASSIGN_OR_RETURN(Picture picture, make_picture({header.width, header.height, 3, 8, ChannelKind::kPlain}));
  for (std::size_t i = 0; i < indices.bytes.size(); ++i)
    std::memcpy(&picture.bytes[3 * i], palette.colors[indices.bytes[i]].data(), 3);
  return picture;
}

/// The bits under a mask, stretched to 0..255.
class Field {
 public:
  explicit Field(std::uint32_t mask) : mask_(mask), shift_(mask == 0 ? 0 : std::countr_zero(mask)) {
    max_ = mask_ >> shift_;
  }
  std::uint8_t of(std::uint32_t pixel) const {
    if (max_ == 255) return static_cast<std::uint8_t>(pixel >> shift_);
    return max_ == 0 ? 0 : static_cast<std::uint8_t>(std::uint64_t{(pixel & mask_) >> shift_} * 255 / max_);
  }

 private:
  std::uint32_t mask_;
  int shift_;
  std::uint32_t max_ = 0;
};

Result<Picture> read_direct_pixels(ByteView file, const Header& header) {
  const int channels = header.masks[3] != 0 ? 4 : 3;
  ASSIGN_OR_RETURN(Picture picture,
                   make_picture({header.width, header.height, channels, 8,
                                 channels == 4 ? ChannelKind::kAlpha : ChannelKind::kPlain}));
  const std::array<Field, 4> fields = {Field(header.masks[0]), Field(header.masks[1]), Field(header.masks[2]),
                                       Field(header.masks[3])};
  const auto width = static_cast<std::size_t>(header.width);
  const std::size_t pixel_bytes = header.bits_count / 8;
  const std::size_t stride = (width * pixel_bytes + 3) / 4 * 4;
  ByteView pixels = file.subspan(header.pixels_at);
  std::uint8_t* out = picture.bytes.data();
  for (std::int64_t y = 0; y < header.height; ++y) {
    if (pixels.size() < width * pixel_bytes) return ends_early();
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint32_t pixel = number(pixels, x * pixel_bytes, pixel_bytes);
      for (int c = 0; c < channels; ++c) *out++ = fields[static_cast<std::size_t>(c)].of(pixel);
    }
    pixels = pixels.subspan(std::min(stride, pixels.size()));
  }
  return picture;
}

}  // namespace

Result<Picture> decode_bmp(ByteView file) {
  ASSIGN_OR_RETURN(const Header header, read_header(file));
  ASSIGN_OR_RETURN(Picture picture, header.bits_count <= 8 ? read_palette_pixels(file, header)
                                                           : read_direct_pixels(file, header));
  if (!header.is_top_down) flip_rows(picture);
  return picture;
}

}  // namespace noren::worker
