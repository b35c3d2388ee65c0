#include "worker/media/dicom_codecs.h"

#include <memory>
#include <new>
#include <string>

#include <charls/charls.h>
#include <gdcmImage.h>
#include <gdcmSequenceOfFragments.h>
#include <gdcmTrace.h>

namespace noren::worker {
namespace {

Error damaged(std::string detail) {
  return make_error(Code::kInvalidArgument,
                    "the DICOM file's compressed pixels are damaged or of another size", std::move(detail));
}

std::size_t needed_bytes(const DicomDataset& dataset) {
  return static_cast<std::size_t>(dataset.rows) * static_cast<std::size_t>(dataset.columns) *
         static_cast<std::size_t>(dataset.samples_count) *
         static_cast<std::size_t>(dataset.bits_allocated / 8);
}

/// What a compressed stream says of itself.
struct StreamHeader {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int channels_count = 0;
  int bits_count = 0;
};

bool is_as_announced(const StreamHeader& header, const DicomDataset& dataset) {
  return header.width == dataset.columns && header.height == dataset.rows &&
         header.channels_count == dataset.samples_count &&
         (header.bits_count + 7) / 8 * 8 == dataset.bits_allocated && dataset.bits_allocated <= 16;
}

struct DestroyJpegLs {
  void operator()(charls_jpegls_decoder* decoder) const { charls_jpegls_decoder_destroy(decoder); }
};

Result<DecodedStream> decode_jpeg_ls(const DicomDataset& dataset) {
  const std::unique_ptr<charls_jpegls_decoder, DestroyJpegLs> decoder(charls_jpegls_decoder_create());
  if (decoder == nullptr) throw std::bad_alloc();
  const auto failed = [](charls_jpegls_errc code) {
    return damaged("CharLS error " + std::to_string(static_cast<int>(code)));
  };
  using charls::jpegls_errc;
  jpegls_errc status =
      charls_jpegls_decoder_set_source_buffer(decoder.get(), dataset.pixels.data(), dataset.pixels.size());
  if (status == jpegls_errc::success) status = charls_jpegls_decoder_read_header(decoder.get());
  charls_frame_info frame = {};
  if (status == jpegls_errc::success) status = charls_jpegls_decoder_get_frame_info(decoder.get(), &frame);
  if (status != jpegls_errc::success) return failed(status);
  if (!is_as_announced({frame.width, frame.height, frame.component_count, frame.bits_per_sample}, dataset))
    return damaged("the stream's own header differs");
  charls::interleave_mode mode = charls::interleave_mode::none;
  status = charls_jpegls_decoder_get_interleave_mode(decoder.get(), &mode);
  if (status != jpegls_errc::success) return failed(status);
  DecodedStream decoded;
  decoded.bytes.resize(needed_bytes(dataset));
  decoded.is_planar = mode == charls::interleave_mode::none;
  status =
      charls_jpegls_decoder_decode_to_buffer(decoder.get(), decoded.bytes.data(), decoded.bytes.size(), 0);
  if (status != jpegls_errc::success) return failed(status);
  return decoded;
}

std::int64_t big_number(ByteView bytes, std::size_t at, std::size_t size_bytes) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < size_bytes; ++i) value = value << 8 | bytes[at + i];
  return value;
}

/// The bare JPEG 2000 stream. Some writers leave it in the boxes of a .jp2 file, which viewers accept.
ByteView jpeg_2000_stream(ByteView bytes) {
  constexpr std::size_t kBoxHeadBytes = 8;
  constexpr std::int64_t kSignatureBox = 0x6A502020, kStreamBox = 0x6A703263;
  if (bytes.size() < kBoxHeadBytes || big_number(bytes, 4, 4) != kSignatureBox) return bytes;
  while (bytes.size() >= kBoxHeadBytes) {
    const auto length = static_cast<std::size_t>(big_number(bytes, 0, 4));
    const bool is_last = length == 0;
    if (!is_last && (length < kBoxHeadBytes || length > bytes.size())) return {};
    if (big_number(bytes, 4, 4) == kStreamBox)
      return bytes.subspan(kBoxHeadBytes, (is_last ? bytes.size() : length) - kBoxHeadBytes);
    if (is_last) return {};
    bytes = bytes.subspan(length);
  }
  return {};
}

/// The SIZ marker, which comes first. Nothing where the channels differ in size or precision.
StreamHeader jpeg_2000_header(ByteView bytes) {
  constexpr std::size_t kChannelsAt = 42;
  StreamHeader header;
  if (bytes.size() < kChannelsAt + 3 || big_number(bytes, 0, 4) != 0xFF4FFF51) return header;
  header.width = big_number(bytes, 8, 4) - big_number(bytes, 16, 4);
  header.height = big_number(bytes, 12, 4) - big_number(bytes, 20, 4);
  header.channels_count = static_cast<int>(big_number(bytes, 40, 2));
  header.bits_count = (bytes[kChannelsAt] & 127) + 1;
  const auto channels = static_cast<std::size_t>(header.channels_count);
  if (channels > 3 || bytes.size() < kChannelsAt + 3 * channels) return {};
  for (std::size_t at = kChannelsAt; at < kChannelsAt + 3 * channels; at += 3)
    if (bytes[at] != bytes[kChannelsAt] || bytes[at + 1] != 1 || bytes[at + 2] != 1) return {};
  return header;
}

/// The start of frame of JPEG.
StreamHeader jpeg_header(ByteView bytes) {
  StreamHeader header;
  std::size_t at = 2;
  while (at + 10 <= bytes.size() && bytes[at] == 0xFF) {
    const std::uint8_t marker = bytes[at + 1];
    if (marker == 0xFF) {
      ++at;
      continue;
    }
    const bool is_frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      header.bits_count = bytes[at + 4];
      header.height = big_number(bytes, at + 5, 2);
      header.width = big_number(bytes, at + 7, 2);
      header.channels_count = bytes[at + 9];
      return header;
    }
    at += 2 + static_cast<std::size_t>(big_number(bytes, at + 2, 2));
  }
  return header;
}

/// A picture of GDCM's with nothing but the stream in it.
void fill_image(const DicomDataset& dataset, ByteView stream, gdcm::Image& image) {
  image.SetNumberOfDimensions(2);
  image.SetDimension(0, static_cast<unsigned int>(dataset.columns));
  image.SetDimension(1, static_cast<unsigned int>(dataset.rows));
  const auto bits = static_cast<unsigned short>(dataset.bits_allocated);
  const auto stored = static_cast<unsigned short>(
      dataset.bits_stored >= 1 && dataset.bits_stored <= bits ? dataset.bits_stored : bits);
  image.SetPixelFormat(gdcm::PixelFormat(static_cast<unsigned short>(dataset.samples_count), bits, stored,
                                         static_cast<unsigned short>(stored - 1), dataset.is_signed ? 1 : 0));
  image.SetPhotometricInterpretation(dataset.samples_count == 3
                                         ? gdcm::PhotometricInterpretation::RGB
                                         : gdcm::PhotometricInterpretation::MONOCHROME2);
  image.SetTransferSyntax(gdcm::TransferSyntax::GetTSType(dataset.transfer_syntax.c_str()));
  gdcm::Fragment fragment;
  // An odd stream gets the byte of padding that a DICOM value has.
  std::vector<char> bytes(stream.begin(), stream.end());
  bytes.resize(bytes.size() + bytes.size() % 2);
  fragment.SetByteValue(bytes.data(), gdcm::VL(static_cast<std::uint32_t>(bytes.size())));
  const gdcm::SmartPointer<gdcm::SequenceOfFragments> fragments = gdcm::SequenceOfFragments::New();
  fragments->AddFragment(fragment);
  gdcm::DataElement element(gdcm::Tag(0x7fe0, 0x0010), gdcm::VL(0xFFFFFFFF), gdcm::VR::OB);
  element.SetValue(*fragments);
  image.SetDataElement(element);
}

void silence_gdcm() {
  gdcm::Trace::DebugOff();
  gdcm::Trace::WarningOff();
  gdcm::Trace::ErrorOff();
}

Result<DecodedStream> decode_with_gdcm(const DicomDataset& dataset) {
  const bool is_jpeg_2000 = dataset.coding == DicomCoding::kJpeg2000;
  const ByteView stream = is_jpeg_2000 ? jpeg_2000_stream(dataset.pixels) : dataset.pixels;
  const StreamHeader header = is_jpeg_2000 ? jpeg_2000_header(stream) : jpeg_header(stream);
  if (!is_as_announced(header, dataset)) return damaged("the stream's own header differs");
  silence_gdcm();
  try {
    gdcm::Image image;
    fill_image(dataset, stream, image);
    if (image.GetBufferLength() != needed_bytes(dataset)) return damaged("GDCM counts other bytes");
    DecodedStream decoded;
    decoded.bytes.resize(needed_bytes(dataset));
    if (!image.GetBuffer(reinterpret_cast<char*>(decoded.bytes.data()))) return damaged("GDCM");
    decoded.is_planar = image.GetPlanarConfiguration() == 1;
    return decoded;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return damaged(error.what());
  }
}

}  // namespace

Result<DecodedStream> decode_dicom_stream(const DicomDataset& dataset) {
  if (dataset.coding == DicomCoding::kJpegLs) return decode_jpeg_ls(dataset);
  return decode_with_gdcm(dataset);
}

}  // namespace noren::worker
