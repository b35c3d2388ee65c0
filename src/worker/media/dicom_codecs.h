// worker/media/dicom_codecs.h - The compressed streams of DICOM that are not plain JPEG or run lengths.
// JPEG-LS by CharLS, JPEG lossless and JPEG 2000 by GDCM's codecs. What a stream says of itself must be what
// the file's header says before a codec sees it. Used by dicom_pixels.cpp only.
#pragma once

#include "worker/media/dicom_dataset.h"

namespace noren::worker {

struct DecodedStream {
  Bytes bytes;  ///< rows x columns x samples_count values of bits_allocated bits, in the machine's order
  bool is_planar = false;
};

Result<DecodedStream> decode_dicom_stream(const DicomDataset& dataset);

}  // namespace noren::worker
