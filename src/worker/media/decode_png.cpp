// PNG by libpng. What the reference shows: grey of 1 bit as 0 and 1, of 2 and 4 bits stretched to 0..255,
// palettes as RGB (RGBA with tRNS), 16-bit grey whole, 16-bit colour by its high byte. Gamma, profiles and
// orientation are ignored.
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "base/limits.h"
#include "worker/media/decoders.h"

namespace noren::worker {
namespace {

constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kIhdrChunkBytes = 4 + 4 + 13 + 4;  // length, name, data, checksum

/// What libpng reads from, and the last thing it complained about.
struct Source {
  ByteView file;
  std::size_t position = 0;
  char complaint[128] = {};
};

void read_bytes(png_structp png, png_bytep out, png_size_t size) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (size > source->file.size() - source->position) png_error(png, "the file ends early");
  std::memcpy(out, source->file.data() + source->position, size);
  source->position += size;
}

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* source = static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source->complaint, message, sizeof source->complaint - 1);
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

/// Everything that the two steps share. Trivial members only where a longjmp may pass.
struct State {
  Source source;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  int bits_count = 0;
  int color_type = 0;
  int passes_count = 1;
  std::size_t row_bytes = 0;
  png_colorp palette = nullptr;
  int palette_count = 0;
  png_bytep palette_alpha = nullptr;
  int palette_alpha_count = 0;

  ~State() { png_destroy_read_struct(&png, &info, nullptr); }
};

bool open_reader(State& state) {
  state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state.source, on_error, on_warning);
  if (state.png == nullptr) return false;
  state.info = png_create_info_struct(state.png);
  return state.info != nullptr;
}

/// Up to the first pixel. False where the file is not a PNG that can be read.
bool read_header(State& state) {
  if (setjmp(png_jmpbuf(state.png)) != 0) return false;
  png_set_read_fn(state.png, &state.source, read_bytes);
  png_set_user_limits(state.png, limits::kImageSideCount, limits::kImageSideCount);
  png_set_chunk_malloc_max(state.png, limits::kImageChunkBytes);
  png_set_chunk_cache_max(state.png, 16);
  png_set_benign_errors(state.png, 1);
  // Checksums of pixels are not looked at, as the reference does not; that of IHDR is, in check_ihdr.
  png_set_crc_action(state.png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
  png_set_keep_unknown_chunks(state.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(state.png, state.info);
  png_get_IHDR(state.png, state.info, &state.width, &state.height, &state.bits_count, &state.color_type,
               nullptr, nullptr, nullptr);
  png_get_PLTE(state.png, state.info, &state.palette, &state.palette_count);
  png_get_tRNS(state.png, state.info, &state.palette_alpha, &state.palette_alpha_count, nullptr);
  png_set_packing(state.png);
  state.passes_count = png_set_interlace_handling(state.png);
  png_read_update_info(state.png, state.info);
  state.row_bytes = png_get_rowbytes(state.png, state.info);
  return true;
}

/// All rows into `out`, `state.row_bytes` each. What comes behind the pixels is not read.
bool read_rows(State& state, std::uint8_t* out) {
  if (setjmp(png_jmpbuf(state.png)) != 0) return false;
  for (int pass = 0; pass < state.passes_count; ++pass)
    for (std::uint32_t y = 0; y < state.height; ++y)
      png_read_row(state.png, out + std::size_t{y} * state.row_bytes, nullptr);
  return true;
}

Status check_ihdr(ByteView file) {
  if (file.size() < kSignatureBytes + kIhdrChunkBytes) return invalid("the PNG file ends inside its header");
  const std::uint8_t* name = file.data() + kSignatureBytes + 4;
  if (std::memcmp(name, "IHDR", 4) != 0) return invalid("the PNG file does not begin with its header");
  const std::uint8_t* stored = name + 4 + 13;
  const std::uint32_t sum = std::uint32_t{stored[0]} << 24 | std::uint32_t{stored[1]} << 16 |
                            std::uint32_t{stored[2]} << 8 | stored[3];
  if (crc32(0, name, 4 + 13) != sum)
    return invalid("the PNG file is damaged (the checksum of its header is wrong)");
  const auto side = [&](std::size_t at) {
    return std::int64_t{name[at]} << 24 | std::int64_t{name[at + 1]} << 16 | name[at + 2] << 8 | name[at + 3];
  };
  return check_picture_size(side(4), side(8), 1);
}

Error damaged(const State& state, const char* where) {
  return make_error(Code::kInvalidArgument, std::string("the PNG file is damaged or ends early, ") + where,
                    state.source.complaint);
}

PictureFormat format_of(const State& state) {
  PictureFormat format{state.width, state.height, 1, 8, ChannelKind::kPlain};
  const bool is_16_bit = state.bits_count == 16;
  switch (state.color_type) {
    case PNG_COLOR_TYPE_GRAY: format.bits_count = is_16_bit ? 16 : 8; break;
    case PNG_COLOR_TYPE_GRAY_ALPHA: format.channels_count = is_16_bit ? 4 : 2; break;
    case PNG_COLOR_TYPE_RGB: format.channels_count = 3; break;
    case PNG_COLOR_TYPE_RGB_ALPHA: format.channels_count = 4; break;
    default: format.channels_count = state.palette_alpha_count > 0 ? 4 : 3; break;
  }
  if (state.color_type == PNG_COLOR_TYPE_PALETTE && format.channels_count == 4) {
    format.kind = ChannelKind::kPaletteAlpha;
  } else if (format.channels_count % 2 == 0) {
    format.kind = ChannelKind::kAlpha;
  }
  return format;
}

void convert_grey(const State& state, const std::uint8_t* from, Picture& to) {
  const std::uint8_t factor = state.bits_count == 4 ? 17 : state.bits_count == 2 ? 85 : 1;
  for (std::size_t i = 0; i < to.bytes.size(); ++i) to.bytes[i] = static_cast<std::uint8_t>(from[i] * factor);
}

void convert_grey_16(const std::uint8_t* from, Picture& to) {
  for (std::size_t i = 0; i + 1 < to.bytes.size(); i += 2) {
    const auto value = static_cast<std::uint16_t>(from[i] << 8 | from[i + 1]);
    std::memcpy(to.bytes.data() + i, &value, 2);
  }
}

/// 16-bit colour keeps the high bytes; grey with alpha becomes RGBA on the way, as the reference has it.
void convert_colour_16(const State& state, const std::uint8_t* from, Picture& to) {
  if (state.color_type != PNG_COLOR_TYPE_GRAY_ALPHA) {
    for (std::size_t i = 0; i < to.bytes.size(); ++i) to.bytes[i] = from[2 * i];
    return;
  }
  for (std::size_t i = 0; i + 3 < to.bytes.size(); i += 4, from += 4) {
    std::fill_n(to.bytes.data() + i, 3, from[0]);
    to.bytes[i + 3] = from[2];
  }
}

/// An index above the palette is black.
void convert_palette(const State& state, const std::uint8_t* from, Picture& to) {
  std::uint8_t table[256][4] = {};
  for (int i = 0; i < 256; ++i) {
    if (i < state.palette_count) std::memcpy(table[i], &state.palette[i], 3);
    table[i][3] = i < state.palette_alpha_count ? state.palette_alpha[i] : 255;
  }
  const auto channels = static_cast<std::size_t>(to.channels_count);
  for (std::size_t i = 0; i < to.bytes.size(); i += channels)
    std::memcpy(&to.bytes[i], table[*from++], channels);
}

}  // namespace

Result<Picture> decode_png(ByteView file) {
  TRY(check_ihdr(file));
  State state;
  state.source.file = file;
  if (!open_reader(state)) return make_error(Code::kTooLarge, "out of memory for the PNG file");
  if (!read_header(state)) return damaged(state, "in its header");
  ASSIGN_OR_RETURN(Picture picture, make_picture(format_of(state)));
  const bool is_palette = state.color_type == PNG_COLOR_TYPE_PALETTE;
  if (state.bits_count == 8 && !is_palette) {  // libpng's rows are the picture's
    if (!read_rows(state, picture.bytes.data())) return damaged(state, "in its pixels");
    return picture;
  }
  TRY(check_picture_size(
      picture.width, picture.height,
      static_cast<std::int64_t>(state.row_bytes / static_cast<std::size_t>(picture.width))));
  std::vector<std::uint8_t> rows(state.row_bytes * state.height);
  if (!read_rows(state, rows.data())) return damaged(state, "in its pixels");
  if (is_palette) {
    convert_palette(state, rows.data(), picture);
  } else if (state.bits_count < 16) {
    convert_grey(state, rows.data(), picture);
  } else if (state.color_type == PNG_COLOR_TYPE_GRAY) {
    convert_grey_16(rows.data(), picture);
  } else {
    convert_colour_16(state, rows.data(), picture);
  }
  return picture;
}

}  // namespace noren::worker
