// The tiny files (one pixel, but for JPEG-LS) that every decoder reads once before the zygote forks.
#include <string_view>

#include "worker/media/decoders.h"
#include "worker/media/dicom_pixels.h"
#include "worker/media/media.h"

namespace noren::worker {
namespace {

constexpr std::string_view kPng =
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600700000900"
    "082023c38c0000000049454e44ae426082";
constexpr std::string_view kJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f"
    "141d1a1f1e1d1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b08000100010101"
    "1100ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b51000020103030204030505"
    "04040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a"
    "25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a8384858687"
    "88898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00f06affd9";
constexpr std::string_view kGif =
    "474946383761010001008100000707070000000000000000002c000000000100010000080400010404003b";
constexpr std::string_view kTiff =
    "49492a000c0000008001e0200900000103000100000001000000010103000100000001000000020103000100000008000000"
    "0301030001000000050000000601030001000000010000001101040001000000080000001601030001000000010000001701"
    "040001000000040000001c010300010000000100000000000000";
constexpr std::string_view kJpeg2000 =
    "ff4fff510029000000000001000000010000000000000000000000010000000100000000000000000001070101ff52000c00"
    "000001000004040001ff5c00044040ff640025000143726561746564206279204f70656e4a5045472076657273696f6e2032"
    "2e352e34ff90000a0000000000130001ff93cfb408099fffd9";
constexpr std::string_view kJpegLs =
    "ffd8fff7000b080006000801011100ffda0008010100000000805014056d95d500300ce34c2ca00c006490f735a70c6318c7"
    "7345bbbb331829999998b0ffd900";

Bytes bytes_of_hex(std::string_view text) {
  const auto digit = [](char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  return bytes;
}

/// Only that the libraries ran matters; what they made of the file does not.
void decode_once(std::string_view hex) {
  const Bytes file = bytes_of_hex(hex);
  static_cast<void>(decode_media(MediaType::kImage, file, {.shape = {1, 1, 1}}));
}

void decode_stream_once(std::string_view hex, DicomCoding coding, std::string_view transfer_syntax,
                        std::int64_t columns, std::int64_t rows) {
  DicomDataset dataset;
  dataset.coding = coding;
  dataset.transfer_syntax = transfer_syntax;
  dataset.columns = columns;
  dataset.rows = rows;
  dataset.bits_allocated = 8;
  dataset.bits_stored = 8;
  dataset.storage = bytes_of_hex(hex);
  dataset.pixels = dataset.storage;
  static_cast<void>(read_dicom_pixels(dataset));
}

}  // namespace

void warm_up_media() {
  for (const std::string_view hex : {kPng, kJpeg, kGif, kTiff}) decode_once(hex);
  decode_stream_once(kJpeg2000, DicomCoding::kJpeg2000, "1.2.840.10008.1.2.4.90", 1, 1);
  decode_stream_once(kJpegLs, DicomCoding::kJpegLs, "1.2.840.10008.1.2.4.80", 8, 6);
}

}  // namespace noren::worker
