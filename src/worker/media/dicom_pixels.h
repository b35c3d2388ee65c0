// worker/media/dicom_pixels.h - The first frame of a DICOM file as whole numbers, one after the other.
// Native and run lengths are unpacked here, JPEG by our JPEG decoder, the rest by GDCM's codecs (not its file
// reader).
#pragma once

#include <cstdint>
#include <vector>

#include "worker/media/dicom_dataset.h"

namespace noren::worker {

/// rows x columns x samples_count values, their bits as stored (signed ones are not extended), colours
/// interleaved, YBR turned into RGB.
Result<std::vector<std::uint32_t>> read_dicom_pixels(const DicomDataset& dataset);

}  // namespace noren::worker
