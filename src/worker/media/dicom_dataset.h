// worker/media/dicom_dataset.h - A DICOM file's header fields and the raw bytes of its first frame.
// Our own reader, as a general one allocates what a hostile length asks for. Looks at top-level elements
// only, steps over sequences, keeps views into the file. Used by decode_dicom.cpp and dicom_pixels.cpp.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace noren::worker {

/// How the pixels are packed, by the transfer syntax.
enum class DicomCoding : std::uint8_t { kNative, kRunLength, kJpeg, kJpegLossless, kJpegLs, kJpeg2000 };

struct DicomDataset {
  DicomCoding coding = DicomCoding::kNative;
  std::endian order = std::endian::little;
  std::string transfer_syntax;

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int samples_count = 1;  ///< of a pixel
  int bits_allocated = 0;
  int bits_stored = 0;
  bool is_signed = false;
  bool is_planar = false;  ///< all of the first colour, then all of the second …
  std::int64_t frames_count = 1;
  std::string photometric = "MONOCHROME2";

  std::optional<double> window_center;  ///< the first one, where there are several
  std::optional<double> window_width;
  double rescale_slope = 1;
  double rescale_intercept = 0;

  bool has_words = false;  ///< native pixels are stored as 16-bit words (VR OW)
  /// The first frame: native bytes of all frames, or the encapsulated stream, its fragments joined.
  ByteView pixels;
  Bytes storage;  ///< what `pixels` looks into, where it is not the file
};

Result<DicomDataset> read_dicom(ByteView file);

}  // namespace noren::worker
