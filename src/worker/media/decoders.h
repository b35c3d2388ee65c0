// worker/media/decoders.h - The decoders: a file's bytes into a Picture, or into samples for WAV.
// Called by media.cpp on the worker's one thread. Each reads from memory only, keeps to base/limits.h, lets
// no exception or longjmp out, and says in its error what is wrong with the file without a library's own
// words.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/media/picture.h"

namespace noren::worker {

/// The kind of file that its first bytes say it is.
enum class FileKind : std::uint8_t { kPng, kJpeg, kGif, kBmp, kTiff, kDicom, kWav, kOther };
FileKind kind_of(ByteView file);

Result<Picture> decode_png(ByteView file);
Result<Picture> decode_jpeg(ByteView file);
Result<Picture> decode_gif(ByteView file);
Result<Picture> decode_bmp(ByteView file);
Result<Picture> decode_tiff(ByteView file);
Result<Picture> decode_dicom(ByteView file);

/// A sound's samples as stored (24 bits times 256, 8 bits 0..255), interleaved.
struct Sound {
  std::vector<float> samples;
  std::int64_t channels_count = 1;
  // (sample - center) / full_scale lies in -1..1.
  float center = 0;
  float full_scale = 1;
};
Result<Sound> decode_wav(ByteView file);

}  // namespace noren::worker
