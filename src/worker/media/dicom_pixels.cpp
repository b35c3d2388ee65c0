#include "worker/media/dicom_pixels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "worker/media/decoders.h"
#include "worker/media/dicom_codecs.h"

namespace noren::worker {
namespace {

using Pixels = std::vector<std::uint32_t>;

constexpr std::size_t kRunLengthHeaderBytes = 64;  // the number of segments and 15 offsets

Error too_few() { return invalid("the DICOM file has fewer pixels than its header says"); }
Error damaged(std::string detail = {}) {
  return make_error(Code::kInvalidArgument,
                    "the DICOM file's compressed pixels are damaged or of another size", std::move(detail));
}

std::size_t pixels_count(const DicomDataset& dataset) {
  return static_cast<std::size_t>(dataset.rows) * static_cast<std::size_t>(dataset.columns);
}
std::size_t values_count(const DicomDataset& dataset) {
  return pixels_count(dataset) * static_cast<std::size_t>(dataset.samples_count);
}
std::size_t value_bytes(const DicomDataset& dataset) {
  return static_cast<std::size_t>(dataset.bits_allocated / 8);
}

/// One bit a pixel, the lowest bit of a byte first.
Result<Pixels> read_bits(const DicomDataset& dataset) {
  const std::size_t count = values_count(dataset);
  if (dataset.pixels.size() < (count + 7) / 8) return too_few();
  Pixels pixels(count);
  for (std::size_t i = 0; i < count; ++i) pixels[i] = dataset.pixels[i / 8] >> (i % 8) & 1u;
  return pixels;
}

/// Bytes in the file's order to numbers; planes to pixels.
Pixels unpack(ByteView bytes, const DicomDataset& dataset, std::endian order) {
  const std::size_t size = value_bytes(dataset);
  const auto samples = static_cast<std::size_t>(dataset.samples_count);
  const bool is_planar = dataset.is_planar && samples > 1;
  const std::size_t plane = pixels_count(dataset);
  Pixels pixels(values_count(dataset));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::uint8_t* at = bytes.data() + (is_planar ? i % samples * plane + i / samples : i) * size;
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < size; ++k)
      value = value << 8 | at[order == std::endian::big ? k : size - 1 - k];
    pixels[i] = value;
  }
  return pixels;
}

/// Two pixels share their colours: Y Y Cb Cr.
Result<Pixels> read_half_colours(const DicomDataset& dataset) {
  const std::size_t pairs = pixels_count(dataset) / 2;
  if (dataset.pixels.size() < 4 * pairs || dataset.columns % 2 != 0) return too_few();
  Pixels pixels(values_count(dataset));
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    const std::uint8_t* from = dataset.pixels.data() + 4 * pair;
    for (std::size_t k = 0; k < 2; ++k) {
      std::uint32_t* to = &pixels[6 * pair + 3 * k];
      to[0] = from[k];
      to[1] = from[2];
      to[2] = from[3];
    }
  }
  return pixels;
}

Result<Pixels> read_native(const DicomDataset& dataset) {
  if (dataset.bits_allocated == 1) return read_bits(dataset);
  if (dataset.photometric == "YBR_FULL_422" && dataset.bits_allocated == 8) return read_half_colours(dataset);
  const std::size_t needed = values_count(dataset) * value_bytes(dataset);
  if (dataset.pixels.size() < needed) return too_few();
  if (dataset.order == std::endian::little || dataset.bits_allocated != 8 || !dataset.has_words)
    return unpack(dataset.pixels, dataset, dataset.order);
  // Bytes that were written as big-endian words stand in the wrong order in each pair.
  Bytes swapped(dataset.pixels.begin(), dataset.pixels.end());
  for (std::size_t i = 0; i + 1 < swapped.size(); i += 2) std::swap(swapped[i], swapped[i + 1]);
  return unpack(swapped, dataset, dataset.order);
}

std::size_t little_number(ByteView bytes, std::size_t at) {
  std::size_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

/// PackBits: a count below 128 and that many + 1 bytes, or a count above 128 and one byte 257 - count times.
bool unpack_runs(ByteView segment, std::uint8_t* out, std::size_t count) {
  std::size_t done = 0;
  std::size_t at = 0;
  while (done < count) {
    if (at >= segment.size()) return false;
    const std::size_t code = segment[at++];
    if (code == 128) continue;
    const std::size_t length = std::min(code < 128 ? code + 1 : 257 - code, count - done);
    const std::size_t used = code < 128 ? length : 1;
    if (segment.size() - at < used) return false;
    if (code < 128) {
      std::memcpy(out + done, segment.data() + at, length);
    } else {
      std::memset(out + done, segment[at], length);
    }
    at += used;
    done += length;
  }
  return true;
}

/// One segment for each byte of each sample, the highest byte first.
Result<Pixels> read_run_length(const DicomDataset& dataset) {
  const ByteView bytes = dataset.pixels;
  if (bytes.size() < kRunLengthHeaderBytes) return damaged();
  const std::size_t segments = little_number(bytes, 0);
  if (dataset.bits_allocated == 1 ||
      segments != value_bytes(dataset) * static_cast<std::size_t>(dataset.samples_count))
    return damaged();
  const std::size_t count = pixels_count(dataset);
  Bytes plane(count);
  Pixels pixels(values_count(dataset));
  for (std::size_t segment = 0; segment < segments; ++segment) {
    const std::size_t begin = little_number(bytes, 4 + 4 * segment);
    const std::size_t end = segment + 1 < segments ? little_number(bytes, 8 + 4 * segment) : bytes.size();
    if (begin < kRunLengthHeaderBytes || end < begin || end > bytes.size()) return damaged();
    if (!unpack_runs(bytes.subspan(begin, end - begin), plane.data(), count)) return damaged();
    const std::size_t sample = segment / value_bytes(dataset);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t& value = pixels[i * static_cast<std::size_t>(dataset.samples_count) + sample];
      value = value << 8 | plane[i];
    }
  }
  return pixels;
}

Result<Pixels> read_jpeg(const DicomDataset& dataset) {
  ASSIGN_OR_RETURN(const Picture picture, decode_jpeg(dataset.pixels));
  if (picture.width != dataset.columns || picture.height != dataset.rows ||
      picture.channels_count != dataset.samples_count || dataset.bits_allocated != 8)
    return damaged();
  return Pixels(picture.bytes.begin(), picture.bytes.end());
}

/// JPEG-LS, JPEG lossless and JPEG 2000: the codec leaves machine words.
Result<Pixels> read_compressed(const DicomDataset& dataset) {
  DicomDataset unpacked;
  unpacked.rows = dataset.rows;
  unpacked.columns = dataset.columns;
  unpacked.samples_count = dataset.samples_count;
  unpacked.bits_allocated = dataset.bits_allocated;
  ASSIGN_OR_RETURN(const DecodedStream decoded, decode_dicom_stream(dataset));
  if (decoded.bytes.size() != values_count(dataset) * value_bytes(dataset)) return damaged();
  unpacked.is_planar = decoded.is_planar;
  return unpack(decoded.bytes, unpacked, std::endian::native);
}

Result<Pixels> read_coded(const DicomDataset& dataset) {
  switch (dataset.coding) {
    case DicomCoding::kNative: return read_native(dataset);
    case DicomCoding::kRunLength: return read_run_length(dataset);
    case DicomCoding::kJpeg: return read_jpeg(dataset);
    default: return read_compressed(dataset);
  }
}

/// Above the bits stored may stand anything (an overlay, zeros where a sign belongs): only the lowest bits
/// count, whatever the high bit's tag says. JPEG 2000 says itself how many bits it has.
void drop_unused_bits(const DicomDataset& dataset, Pixels& pixels) {
  if (dataset.coding == DicomCoding::kJpeg || dataset.coding == DicomCoding::kJpeg2000) return;
  if (dataset.bits_stored < 1 || dataset.bits_stored >= dataset.bits_allocated) return;
  const int unused = 32 - dataset.bits_stored;
  for (std::uint32_t& value : pixels) {
    const std::uint32_t highest = value << unused;
    value = dataset.is_signed ? static_cast<std::uint32_t>(static_cast<std::int32_t>(highest) >> unused)
                              : highest >> unused;
  }
}

/// ITU-R BT.601 at full range, 8 bits.
void ybr_to_rgb(Pixels& pixels) {
  const auto rounded = [](double value) {
    return static_cast<std::uint32_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
  };
  for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) {
    const double y = pixels[i];
    const double blue = static_cast<double>(pixels[i + 1]) - 128;
    const double red = static_cast<double>(pixels[i + 2]) - 128;
    pixels[i] = rounded(y + 1.402 * red);
    pixels[i + 1] = rounded(y - 0.114 * 1.772 / 0.587 * blue - 0.299 * 1.402 / 0.587 * red);
    pixels[i + 2] = rounded(y + 1.772 * blue);
  }
}

}  // namespace

Result<Pixels> read_dicom_pixels(const DicomDataset& dataset) {
  TRY(check_picture_size(dataset.columns, dataset.rows, dataset.samples_count * 4));
  ASSIGN_OR_RETURN(Pixels pixels, read_coded(dataset));
  drop_unused_bits(dataset, pixels);
  const bool is_ybr = dataset.photometric == "YBR_FULL" || dataset.photometric == "YBR_FULL_422";
  const bool is_decoded_as_rgb =
      dataset.coding == DicomCoding::kJpeg || dataset.coding == DicomCoding::kJpeg2000;
  if (is_ybr && !is_decoded_as_rgb && dataset.samples_count == 3 && dataset.bits_allocated == 8)
    ybr_to_rgb(pixels);
  return pixels;
}

}  // namespace noren::worker
