// RIFF, RIFX and RF64 files with PCM or IEEE float samples, read as the reference's loader (scipy.io.wavfile)
// reads them: raw values, the container's size from block align, 24 bits in the upper three bytes of an
// int32.
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include "worker/media/decoders.h"

namespace noren::worker {
namespace {

constexpr std::uint32_t kPcm = 1;
constexpr std::uint32_t kIeeeFloat = 3;
constexpr std::uint32_t kExtensible = 0xFFFE;
constexpr std::size_t kUuidTailBytes = 12;
constexpr std::string_view kUuidTailLittle("\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71",
                                           kUuidTailBytes);
constexpr std::string_view kUuidTailBig("\x00\x00\x00\x10\x80\x00\x00\xAA\x00\x38\x9B\x71", kUuidTailBytes);

/// Reads numbers in the file's byte order; past the end it gives zeros and remembers.
class Reader {
 public:
  Reader(ByteView file, std::endian order) : file_(file), order_(order) {}

  std::uint64_t number(std::size_t size_bytes) {
    if (size_bytes > left()) {
      position_ = file_.size();
      short_ = true;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size_bytes; ++i) {
      const std::size_t from = order_ == std::endian::big ? i : size_bytes - 1 - i;
      value = value << 8 | file_[position_ + from];
    }
    position_ += size_bytes;
    return value;
  }
  std::string_view text(std::size_t size_bytes) {
    const std::string_view found = text_of(file_.subspan(position_, std::min(size_bytes, left())));
    position_ += found.size();
    return found;
  }
  void skip(std::uint64_t size_bytes) { position_ += std::min<std::uint64_t>(size_bytes, left()); }

  std::endian order() const { return order_; }
  std::size_t position() const { return position_; }
  std::size_t left() const { return file_.size() - position_; }
  bool ran_short() const { return short_; }

 private:
  ByteView file_;
  std::endian order_;
  std::size_t position_ = 0;
  bool short_ = false;
};

struct Format {
  std::uint32_t tag = 0;
  std::uint32_t channels_count = 0;
  std::uint32_t rate_hz = 0;
  std::uint32_t bytes_per_second = 0;
  std::uint32_t block_bytes = 0;
  std::uint32_t bits_count = 0;
};

struct Layout {
  Format format;
  std::uint32_t sample_bytes = 0;
  ByteView data;
  std::endian order = std::endian::little;
};

Error unknown_format(std::uint32_t tag) {
  const char* name = tag == 2 || tag == 0x11 ? " (ADPCM)"
                     : tag == 6              ? " (A-law)"
                     : tag == 7              ? " (mu-law)"
                     : tag == 0x55           ? " (MP3)"
                                             : "";
  return unsupported("the WAV file's coding " + std::to_string(tag) + name +
                     " is not read; save it as PCM or as 32-bit float");
}

Result<Format> read_format(Reader& reader) {
  const std::uint64_t size = reader.number(4);
  if (size < 16) return invalid("the WAV file's fmt chunk is too short");
  Format format;
  format.tag = static_cast<std::uint32_t>(reader.number(2));
  format.channels_count = static_cast<std::uint32_t>(reader.number(2));
  format.rate_hz = static_cast<std::uint32_t>(reader.number(4));
  format.bytes_per_second = static_cast<std::uint32_t>(reader.number(4));
  format.block_bytes = static_cast<std::uint32_t>(reader.number(2));
  format.bits_count = static_cast<std::uint32_t>(reader.number(2));
  std::uint64_t read_bytes = 16;
  if (format.tag == kExtensible && size >= 18) {
    if (reader.number(2) < 22) return invalid("the WAV file's extensible fmt chunk is too short");
    reader.skip(6);  // valid bits and speaker positions
    const std::uint64_t sub_format = reader.number(4);
    const std::string_view tail = reader.order() == std::endian::big ? kUuidTailBig : kUuidTailLittle;
    if (reader.text(kUuidTailBytes) == tail) format.tag = static_cast<std::uint32_t>(sub_format);
    read_bytes = 40;
  }
  if (reader.ran_short()) return invalid("the WAV file ends inside its fmt chunk");
  if (format.tag != kPcm && format.tag != kIeeeFloat) return unknown_format(format.tag);
  if (size > read_bytes) reader.skip(size - read_bytes);
  reader.skip(size % 2);
  if (format.tag == kPcm && format.bytes_per_second != std::uint64_t{format.rate_hz} * format.block_bytes)
    return invalid("the WAV file's header contradicts itself: " + std::to_string(format.bytes_per_second) +
                   " bytes per second is not the sample rate times the block size");
  return format;
}

/// The file's header: where its chunks end, by its own word, and whether it is RF64 (then the data's size
/// too).
struct Header {
  std::uint64_t end = 0;
  bool is_rf64 = false;
  std::uint64_t data_bytes = 0;
};

Result<Header> read_header(Reader& reader) {
  Header header;
  header.is_rf64 = reader.text(4) == "RF64";
  header.end = reader.number(4) + 8;
  if (reader.text(4) != "WAVE") return invalid("this is not a WAV file (RIFF, but not WAVE)");
  if (header.is_rf64) {
    if (reader.text(4) != "ds64") return invalid("the WAV file is RF64 without its ds64 chunk");
    const std::uint64_t size = reader.number(4);
    header.end = reader.number(8);
    header.end = header.end > UINT64_MAX - 8 ? UINT64_MAX : header.end + 8;
    header.data_bytes = reader.number(8);
    if (size > 16) reader.skip(size - 16);
  }
  return header;
}

Result<Layout> read_chunks(ByteView file) {
  const std::endian order = text_of(file).starts_with("RIFX") ? std::endian::big : std::endian::little;
  Reader reader(file, order);
  ASSIGN_OR_RETURN(const Header header, read_header(reader));
  Layout layout;
  layout.order = order;
  bool has_format = false;
  bool has_data = false;
  // A size of the whole that is too small is tolerated as long as the samples were not found.
  while (reader.left() > 0 && (reader.position() < header.end || !has_data)) {
    const std::string_view name = reader.text(4);
    if (name == "fmt ") {
      ASSIGN_OR_RETURN(layout.format, read_format(reader));
      has_format = true;
      continue;
    }
    std::uint64_t size = reader.number(4);
    if (name == "data") {
      if (!has_format) return invalid("the WAV file has its data before its fmt chunk");
      if (header.is_rf64) size = header.data_bytes;
      layout.data = file.subspan(reader.position(), std::min<std::uint64_t>(size, reader.left()));
      has_data = true;
    }
    reader.skip(size);
    reader.skip(size % 2);
  }
  if (!has_data) return invalid("the WAV file has no data chunk");
  return layout;
}

Status check_samples(Layout& layout) {
  const Format& format = layout.format;
  if (format.channels_count == 0) return invalid("the WAV file says that it has no channels");
  layout.sample_bytes = format.block_bytes / format.channels_count;
  if (layout.sample_bytes == 0 || layout.sample_bytes * format.channels_count != format.block_bytes)
    return invalid("the WAV file's block of " + std::to_string(format.block_bytes) + " bytes does not hold " +
                   std::to_string(format.channels_count) + " samples");
  const std::uint32_t bytes = layout.sample_bytes;
  const std::uint32_t bits = format.bits_count;
  if (format.tag == kIeeeFloat) {
    if ((bytes != 4 && bytes != 8) || (bits != 32 && bits != 64))
      return unsupported("the WAV file has floats of " + std::to_string(bits) + " bits (32 and 64 are read)");
  } else if (bytes > 8 || bits > 64 || (bits >= 1 && bits <= 8 && bytes != 1)) {
    return unsupported("the WAV file has samples of " + std::to_string(bits) + " bits in " +
                       std::to_string(bytes) + " bytes, which is not read");
  }
  return Ok{};
}

/// The smallest integer type that holds samples of `size` bytes.
int container_bits(std::uint32_t size) {
  return size <= 2 ? static_cast<int>(size) * 8 : size <= 4 ? 32 : 64;
}

/// One sample as the sign-extended number of `size` bytes, moved to the top of the smallest integer type that
/// holds it.
float integer_sample(const std::uint8_t* bytes, std::uint32_t size, std::endian order) {
  std::uint64_t value = 0;
  for (std::uint32_t i = 0; i < size; ++i)
    value = value << 8 | bytes[order == std::endian::big ? i : size - 1 - i];
  const std::int64_t top = static_cast<std::int64_t>(value << (64 - 8 * size));
  return static_cast<float>(top >> (64 - container_bits(size)));
}

float float_sample(const std::uint8_t* bytes, std::uint32_t size, std::endian order) {
  std::uint64_t value = 0;
  for (std::uint32_t i = 0; i < size; ++i)
    value = value << 8 | bytes[order == std::endian::big ? i : size - 1 - i];
  if (size == 4) return std::bit_cast<float>(static_cast<std::uint32_t>(value));
  return static_cast<float>(std::bit_cast<double>(value));
}

}  // namespace

Result<Sound> decode_wav(ByteView file) {
  if (kind_of(file) != FileKind::kWav) return invalid("this is not a WAV file");
  ASSIGN_OR_RETURN(Layout layout, read_chunks(file));
  TRY(check_samples(layout));
  const std::size_t count = layout.data.size() / layout.sample_bytes;
  if (count % layout.format.channels_count != 0)
    return invalid("the WAV file's " + std::to_string(count) + " samples are not whole blocks of " +
                   std::to_string(layout.format.channels_count) + " channels");
  Sound sound;
  sound.samples.resize(count);
  sound.channels_count = layout.format.channels_count;
  const std::uint32_t size = layout.sample_bytes;
  const bool is_unsigned =
      layout.format.tag == kPcm && layout.format.bits_count >= 1 && layout.format.bits_count <= 8;
  if (is_unsigned) sound.center = sound.full_scale = 128;
  if (!is_unsigned && layout.format.tag == kPcm)
    sound.full_scale = std::ldexp(1.0F, container_bits(size) - 1);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* bytes = layout.data.data() + i * size;
    sound.samples[i] = is_unsigned                       ? static_cast<float>(*bytes)
                       : layout.format.tag == kIeeeFloat ? float_sample(bytes, size, layout.order)
                                                         : integer_sample(bytes, size, layout.order);
  }
  return sound;
}

}  // namespace noren::worker
