// TIFF by libtiff: the first page, turned as its orientation tag says. Bilevel as 0 and 1, WhiteIsZero
// inverted, palettes as RGB, grey of 16 bits whole, colour of 16 bits by its high byte, CMYK as stored,
// floats cut to their low byte, as the reference shows them.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include <tiffio.h>

#include "base/limits.h"
#include "worker/media/decoders.h"

namespace noren::worker {
namespace {

/// The file in memory, as libtiff's reading functions see it, and the last complaint.
struct Source {
  ByteView file;
  std::uint64_t position = 0;
  std::string complaint = {};
};

Source& source_of(thandle_t handle) { return *static_cast<Source*>(handle); }

tmsize_t read_bytes(thandle_t handle, void* out, tmsize_t size) {
  Source& source = source_of(handle);
  if (size <= 0 || source.position >= source.file.size()) return 0;
  const std::size_t count =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(size), source.file.size() - source.position);
  std::memcpy(out, source.file.data() + source.position, count);
  source.position += count;
  return static_cast<tmsize_t>(count);
}
tmsize_t write_bytes(thandle_t, void*, tmsize_t) { return 0; }
toff_t seek(thandle_t handle, toff_t offset, int from) {
  Source& source = source_of(handle);
  source.position = from == SEEK_SET   ? offset
                    : from == SEEK_CUR ? source.position + offset
                                       : source.file.size() + offset;
  return source.position;
}
int close_nothing(thandle_t) { return 0; }
toff_t size_of_file(thandle_t handle) { return source_of(handle).file.size(); }

int note_error(TIFF*, void* user, const char* module, const char*, va_list) {
  static_cast<Source*>(user)->complaint = module == nullptr ? "" : module;
  return 1;
}
int drop_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

struct Closer {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, Closer>;

Tiff open(Source& source) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  if (options == nullptr) return nullptr;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), limits::kImageUnpackedBytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), note_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), drop_warning, &source);
  // "m": not mapped. "h": the header only at first. The name shows in messages, which nobody sees.
  return Tiff(TIFFClientOpenExt("picture", "rm", &source, read_bytes, write_bytes, seek, close_nothing,
                                size_of_file, nullptr, nullptr, options.get()));
}

struct Header {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint16_t bits_count = 1;
  std::uint16_t samples_count = 1;  ///< of a pixel
  std::uint16_t format = SAMPLEFORMAT_UINT;
  std::uint16_t photometric = PHOTOMETRIC_MINISWHITE;
  std::uint16_t planar = PLANARCONFIG_CONTIG;
  std::uint16_t compression = COMPRESSION_NONE;
  std::uint16_t orientation = ORIENTATION_TOPLEFT;
  std::uint16_t extra_count = 0;
  std::uint16_t first_extra = EXTRASAMPLE_UNSPECIFIED;
  std::uint16_t colors_count = 1;  ///< samples of a pixel without the extra ones
};

bool is_read(std::uint16_t compression) {
  constexpr std::uint16_t kRead[] = {COMPRESSION_NONE,          COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3,
                                     COMPRESSION_CCITTFAX4,     COMPRESSION_LZW,      COMPRESSION_JPEG,
                                     COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS, COMPRESSION_DEFLATE,
                                     COMPRESSION_LZMA,          COMPRESSION_ZSTD};
  return std::find(std::begin(kRead), std::end(kRead), compression) != std::end(kRead);
}

Error damaged(const Source& source) {
  return make_error(Code::kInvalidArgument, "the TIFF file is damaged or ends early", source.complaint);
}
Error not_read(const std::string& what) { return unsupported("a TIFF file with " + what + " is not read"); }

/// The colours that the photometric tag means; the rest of a pixel's samples are extra.
std::uint16_t colors_of(std::uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_YCBCR: return 3;
    case PHOTOMETRIC_SEPARATED: return 4;
    default: return 1;
  }
}

Status check_header(const Header& header) {
  if (!is_read(header.compression)) return not_read("compression " + std::to_string(header.compression));
  TRY(check_picture_size(header.width, header.height, 1));
  const bool is_grey =
      header.photometric == PHOTOMETRIC_MINISWHITE || header.photometric == PHOTOMETRIC_MINISBLACK;
  const bool is_lab = header.photometric == PHOTOMETRIC_CIELAB && header.bits_count == 8 &&
                      header.samples_count == 3 && header.compression != COMPRESSION_JPEG;
  if (!is_grey && !is_lab && header.photometric != PHOTOMETRIC_RGB &&
      header.photometric != PHOTOMETRIC_PALETTE && header.photometric != PHOTOMETRIC_SEPARATED &&
      header.photometric != PHOTOMETRIC_YCBCR)
    return not_read("photometric interpretation " + std::to_string(header.photometric));
  if (header.samples_count < header.colors_count || header.samples_count > 16)
    return not_read(std::to_string(header.samples_count) + " samples a pixel");
  if (header.format == SAMPLEFORMAT_IEEEFP) {
    if (!is_grey || header.bits_count != 32 || header.samples_count != 1)
      return not_read("floats but 32-bit grey");
    return Ok{};
  }
  const std::uint16_t bits = header.bits_count;
  const bool is_small = bits == 1 || bits == 2 || bits == 4;
  if (bits != 8 && bits != 16 && !(is_small && header.samples_count == 1) &&
      !(bits == 12 && is_grey && header.samples_count == 1))
    return not_read(std::to_string(bits) + "-bit samples");
  if (header.format != SAMPLEFORMAT_UINT && header.format != SAMPLEFORMAT_VOID && bits != 8)
    return not_read("signed samples");
  if (header.photometric == PHOTOMETRIC_PALETTE && bits > 8) return not_read("a palette of 16 bits");
  return Ok{};
}

Result<Header> read_header(TIFF* tiff) {
  Header header;
  if (TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &header.width) != 1 ||
      TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &header.height) != 1)
    return invalid("the TIFF file does not say how large its picture is");
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &header.bits_count);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &header.samples_count);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &header.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &header.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &header.compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &header.orientation);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &header.photometric);
  std::uint16_t* extra = nullptr;
  std::uint16_t extra_count = 0;
  const bool has_extra_tag =
      TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra) == 1 && extra_count > 0;
  header.colors_count = colors_of(header.photometric);
  TRY(check_header(header));
  header.extra_count = static_cast<std::uint16_t>(header.samples_count - header.colors_count);
  // A fourth sample that no tag explains is taken for alpha, as the reference does.
  header.first_extra = has_extra_tag && extra != nullptr ? extra[0] : std::uint16_t{EXTRASAMPLE_UNASSALPHA};
  if (header.photometric == PHOTOMETRIC_YCBCR && header.compression == COMPRESSION_JPEG &&
      header.planar == PLANARCONFIG_CONTIG) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    header.photometric = PHOTOMETRIC_RGB;
  }
  return header;
}

/// All samples of the page, one row after the other, `stride` samples a pixel as in the file, packed bits
/// unpacked.
class Samples {
 public:
  Samples(TIFF* tiff, const Header& header, const Source& source)
      : tiff_(tiff), header_(header), source_(source) {
    bytes_per_sample_ = header.bits_count == 32 ? 4 : header.bits_count > 8 ? 2 : 1;
  }

  Status read() {
    TRY(check_picture_size(header_.width, header_.height, header_.samples_count * bytes_per_sample_));
    bytes_.resize(std::size_t{header_.width} * header_.height * header_.samples_count *
                  static_cast<std::size_t>(bytes_per_sample_));
    return TIFFIsTiled(tiff_) != 0 ? read_tiles() : read_strips();
  }
  /// Sample s of pixel i: 8 bits as they are, of 16 bits the number.
  std::uint32_t at(std::size_t pixel, std::size_t sample) const {
    const std::size_t index = pixel * header_.samples_count + sample;
    if (bytes_per_sample_ == 1) return bytes_[index];
    std::uint16_t value = 0;
    std::memcpy(&value, &bytes_[2 * index], 2);
    return value;
  }
  float float_at(std::size_t pixel) const {
    float value = 0;
    std::memcpy(&value, &bytes_[4 * pixel], 4);
    return value;
  }

 private:
  /// A part of the page: a strip or a tile, of one plane or of all.
  struct Part {
    std::uint32_t x, y, width, height;
    std::size_t row_bytes;
    std::uint16_t plane;
  };

  std::uint16_t planes_count() const {
    return header_.planar == PLANARCONFIG_SEPARATE ? header_.samples_count : std::uint16_t{1};
  }
  std::size_t part_samples() const {
    return header_.planar == PLANARCONFIG_SEPARATE ? 1 : header_.samples_count;
  }

  Status read_strips() {
    std::uint32_t rows_per_strip = 0;
    TIFFGetFieldDefaulted(tiff_, TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
    rows_per_strip = std::min(std::max(rows_per_strip, 1u), header_.height);
    const tmsize_t size = TIFFStripSize(tiff_);
    const tmsize_t row_bytes = TIFFScanlineSize(tiff_);
    if (size <= 0 || row_bytes <= 0 || size > limits::kImageUnpackedBytes) return damaged(source_);
    std::vector<std::uint8_t> buffer(static_cast<std::size_t>(size));
    for (std::uint16_t plane = 0; plane < planes_count(); ++plane)
      for (std::uint32_t y = 0; y < header_.height; y += rows_per_strip) {
        const std::uint32_t strip = TIFFComputeStrip(tiff_, y, plane);
        const tmsize_t done = TIFFReadEncodedStrip(tiff_, strip, buffer.data(), size);
        const std::uint32_t rows = std::min(rows_per_strip, header_.height - y);
        if (done < row_bytes * static_cast<tmsize_t>(rows)) return damaged(source_);
        TRY(place(buffer, {0, y, header_.width, rows, static_cast<std::size_t>(row_bytes), plane}));
      }
    return Ok{};
  }

  Status read_tiles() {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    TIFFGetField(tiff_, TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(tiff_, TIFFTAG_TILELENGTH, &height);
    const tmsize_t size = TIFFTileSize(tiff_);
    const tmsize_t row_bytes = TIFFTileRowSize(tiff_);
    if (width == 0 || height == 0 || size <= 0 || row_bytes <= 0 || size > limits::kImageUnpackedBytes)
      return damaged(source_);
    std::vector<std::uint8_t> buffer(static_cast<std::size_t>(size));
    for (std::uint16_t plane = 0; plane < planes_count(); ++plane)
      for (std::uint64_t y = 0; y < header_.height; y += height)
        for (std::uint64_t x = 0; x < header_.width; x += width) {
          const auto left = static_cast<std::uint32_t>(x);
          const auto top = static_cast<std::uint32_t>(y);
          const std::uint32_t tile = TIFFComputeTile(tiff_, left, top, 0, plane);
          if (TIFFReadEncodedTile(tiff_, tile, buffer.data(), size) < size) return damaged(source_);
          TRY(place(buffer,
                    {left, top, std::min(width, header_.width - left), std::min(height, header_.height - top),
                     static_cast<std::size_t>(row_bytes), plane}));
        }
    return Ok{};
  }

  Status place(const std::vector<std::uint8_t>& buffer, const Part& part) {
    const std::size_t samples = part.width * part_samples();
    const std::size_t needed = (samples * header_.bits_count + 7) / 8;
    if (needed > part.row_bytes || part.row_bytes * (part.height - 1) + needed > buffer.size())
      return damaged(source_);
    const std::size_t stride = part_samples() == 1 ? header_.samples_count : 1;
    for (std::uint32_t row = 0; row < part.height; ++row) {
      const std::size_t first =
          (std::size_t{part.y + row} * header_.width + part.x) * header_.samples_count + part.plane;
      place_row(buffer.data() + row * part.row_bytes, samples, first, stride);
    }
    return Ok{};
  }

  void place_row(const std::uint8_t* from, std::size_t count, std::size_t first, std::size_t stride) {
    const auto bytes = static_cast<std::size_t>(bytes_per_sample_);
    const std::size_t bits = header_.bits_count;
    for (std::size_t i = 0; i < count; ++i) {
      std::uint8_t* to = &bytes_[(first + i * stride) * bytes];
      if (bits == 12) {
        const std::uint8_t* at = from + i / 2 * 3;
        const auto value =
            static_cast<std::uint16_t>(i % 2 == 0 ? at[0] << 4 | at[1] >> 4 : (at[1] & 15) << 8 | at[2]);
        std::memcpy(to, &value, 2);
      } else if (bits >= 8) {
        std::memcpy(to, from + i * bytes, bytes);
      } else {
        const std::size_t bit = i * bits;
        *to = static_cast<std::uint8_t>(from[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1));
      }
    }
  }

  TIFF* tiff_;
  const Header& header_;
  const Source& source_;
  std::int64_t bytes_per_sample_ = 1;
  std::vector<std::uint8_t> bytes_;
};

std::uint8_t high_byte(std::uint32_t value, const Header& header) {
  return static_cast<std::uint8_t>(header.bits_count == 16 ? value >> 8 : value);
}

/// What a conversion from float to a byte gives on the machines that trained: whole numbers modulo 256.
std::uint8_t low_byte(float value) {
  if (!(std::abs(value) < 2147483648.0f)) return 0;
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(value));
}

Picture read_floats(const Samples& samples, Picture picture) {
  for (std::size_t i = 0; i < picture.bytes.size(); ++i) picture.bytes[i] = low_byte(samples.float_at(i));
  return picture;
}

Picture read_grey_16(const Samples& samples, const Header& header, Picture picture) {
  for (std::size_t i = 0; i < picture.bytes.size() / 2; ++i) {
    std::uint32_t level = samples.at(i, 0);
    if (header.bits_count == 12) level = (level * 65535 + 2047) / 4095;
    if (header.photometric == PHOTOMETRIC_MINISWHITE) level = 65535 - level;
    const auto value = static_cast<std::uint16_t>(level);
    std::memcpy(&picture.bytes[2 * i], &value, 2);
  }
  return picture;
}

std::uint8_t grey_level(std::uint32_t value, const Header& header) {
  const bool is_inverted = header.photometric == PHOTOMETRIC_MINISWHITE;
  if (header.bits_count == 1) return static_cast<std::uint8_t>(is_inverted ? 1 - value : value);
  const std::uint32_t factor = header.bits_count == 2 ? 85 : header.bits_count == 4 ? 17 : 1;
  const std::uint32_t level = header.bits_count < 8 ? value * factor : high_byte(value, header);
  return static_cast<std::uint8_t>(is_inverted ? 255 - level : level);
}

Result<Picture> read_palette(TIFF* tiff, const Samples& samples, const Header& header, Picture picture) {
  std::uint16_t* maps[3] = {};
  if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) != 1)
    return invalid("the TIFF file has no palette");
  const std::size_t pixels = picture.bytes.size() / 3;
  const std::uint32_t last = (1u << header.bits_count) - 1;
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      picture.bytes[3 * i + c] = static_cast<std::uint8_t>(maps[c][std::min(samples.at(i, 0), last)] >> 8);
  return picture;
}

/// Grey, RGB and CMYK with or without alpha; other extra samples are left out.
Picture read_channels(const Samples& samples, const Header& header, Picture picture) {
  const auto channels = static_cast<std::size_t>(picture.channels_count);
  const bool is_grey = header.colors_count == 1;
  for (std::size_t at = 0, pixel = 0; at < picture.bytes.size(); at += channels, ++pixel)
    for (std::size_t c = 0; c < channels; ++c) {
      const std::uint32_t value = samples.at(pixel, c);
      picture.bytes[at + c] = is_grey && c == 0 ? grey_level(value, header) : high_byte(value, header);
    }
  return picture;
}

/// Colours that were stored multiplied by alpha.
void undo_premultiplication(Picture& picture) {
  const auto channels = static_cast<std::size_t>(picture.channels_count);
  for (std::size_t at = 0; at < picture.bytes.size(); at += channels) {
    const std::uint32_t alpha = picture.bytes[at + channels - 1];
    for (std::size_t c = 0; c + 1 < channels && alpha < 255; ++c) {
      const std::uint32_t color = alpha == 0 ? 0 : picture.bytes[at + c] * 255u / alpha;
      picture.bytes[at + c] = static_cast<std::uint8_t>(std::min(color, 255u));
    }
  }
}

/// YCbCr that is not JPEG: libtiff turns it into RGBA itself, four bytes in a word, rows as in the file.
Result<Picture> read_ycbcr(TIFF* tiff, const Header& header, const Source& source) {
  TRY(check_picture_size(header.width, header.height, 4));
  std::vector<std::uint32_t> raster(std::size_t{header.width} * header.height);
  if (TIFFReadRGBAImageOriented(tiff, header.width, header.height, raster.data(), header.orientation, 1) != 1)
    return damaged(source);
  ASSIGN_OR_RETURN(Picture picture, make_picture({header.width, header.height, 3, 8, ChannelKind::kPlain}));
  for (std::size_t i = 0; i < raster.size(); ++i) {
    picture.bytes[3 * i] = static_cast<std::uint8_t>(TIFFGetR(raster[i]));
    picture.bytes[3 * i + 1] = static_cast<std::uint8_t>(TIFFGetG(raster[i]));
    picture.bytes[3 * i + 2] = static_cast<std::uint8_t>(TIFFGetB(raster[i]));
  }
  return picture;
}

PictureFormat format_of(const Header& header) {
  PictureFormat format{header.width, header.height, header.colors_count, 8, ChannelKind::kPlain};
  if (header.format == SAMPLEFORMAT_IEEEFP) return format;
  if (header.photometric == PHOTOMETRIC_PALETTE) {
    format.channels_count = 3;
    return format;
  }
  const bool has_alpha = header.extra_count > 0 && header.photometric != PHOTOMETRIC_SEPARATED &&
                         header.first_extra != EXTRASAMPLE_UNSPECIFIED;
  if (has_alpha) {
    format.channels_count += 1;
    format.kind = ChannelKind::kAlpha;
  }
  if (format.channels_count == 1 && header.bits_count > 8) format.bits_count = 16;
  return format;
}

Result<Picture> read_page(TIFF* tiff, const Header& header, const Source& source) {
  if (header.photometric == PHOTOMETRIC_YCBCR) return read_ycbcr(tiff, header, source);
  ASSIGN_OR_RETURN(Picture picture, make_picture(format_of(header)));
  Samples samples(tiff, header, source);
  TRY(samples.read());
  if (header.format == SAMPLEFORMAT_IEEEFP) return read_floats(samples, std::move(picture));
  if (header.photometric == PHOTOMETRIC_PALETTE)
    return read_palette(tiff, samples, header, std::move(picture));
  if (picture.bits_count == 16) return read_grey_16(samples, header, std::move(picture));
  picture = read_channels(samples, header, std::move(picture));
  if (picture.has_alpha() && header.first_extra == EXTRASAMPLE_ASSOCALPHA) undo_premultiplication(picture);
  return picture;
}

/// The picture as it is meant to be seen: orientations 2 to 8 are the mirrored and turned ones.
Picture turn(Picture picture, std::uint16_t orientation) {
  if (orientation < 2 || orientation > 8) return picture;
  const bool is_transposed = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Picture turned = picture;
  if (is_transposed) std::swap(turned.width, turned.height);
  const std::int64_t pixel_bytes = picture.channels_count * (picture.bits_count / 8);
  for (std::int64_t y = 0; y < turned.height; ++y)
    for (std::int64_t x = 0; x < turned.width; ++x) {
      const std::int64_t across = is_transposed ? y : x;
      const std::int64_t down = is_transposed ? x : y;
      const std::int64_t from_x = from_right ? picture.width - 1 - across : across;
      const std::int64_t from_y = from_bottom ? picture.height - 1 - down : down;
      std::memcpy(turned.row(y) + x * pixel_bytes, picture.row(from_y) + from_x * pixel_bytes,
                  static_cast<std::size_t>(pixel_bytes));
    }
  return turned;
}

}  // namespace

Result<Picture> decode_tiff(ByteView file) {
  Source source{file};
  const Tiff tiff = open(source);
  if (tiff == nullptr) return damaged(source);
  ASSIGN_OR_RETURN(const Header header, read_header(tiff.get()));
  ASSIGN_OR_RETURN(Picture picture, read_page(tiff.get(), header, source));
  return turn(std::move(picture), header.orientation);
}

}  // namespace noren::worker
