// worker/media/media.h - Files of every accepted type into the numbers that training saw.
// Called by the protocol room of a worker, inside the sandbox, on its one thread. Never opens a file or
// trusts a header: everything is read from memory, with limits on pixels and bytes. The rules are those
// measured on the reference loader.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/tensor/signature.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

/// The type a caller writes: a file extension.
enum class MediaType : std::uint8_t { kImage, kDicom, kWav };

/// png jpg jpeg gif bmp tif tiff → kImage, dcm → kDicom, wav → kWav; letter case does not matter; nothing
/// else.
std::optional<MediaType> media_type_of(std::string_view extension);

/// Whether pixels are multiplied by 1/255 (1/65535 for 16 bit), as training did.
enum class Normalization : std::uint8_t { kNone, kImage };

/// What the network wants to see: the shape of one sample, without the batch axis.
struct MediaTarget {
  Shape shape;  ///< -1 (a side or the channels of a plain ONNX model): as in the file
  Normalization normalization = Normalization::kImage;
  // The rest is for plain ONNX models (see ImageRule): there a picture is also converted between grey and
  // colour.
  ImageLayout layout = ImageLayout::kSampleShape;
  std::span<const float> scale = {};  ///< one a channel, or one for all; after the normalisation
  std::span<const float> offset = {};
  bool reverse_channels = false;
  bool grey = false;
  std::int64_t channels_count = 0;  ///< where the shape leaves it free; 0: as in the file
  std::int64_t height_count = 0;
  std::int64_t width_count = 0;
  SoundRule sound;
};

/// Decodes a file into a float32 tensor of target.shape.
/// Images: channels first [C,H,W]; resized where the sides differ (see resize.h); the file's own channels
/// must equal C. WAV: raw sample values, as many as the shape has elements (a free axis: as in the file);
/// interleaved and never normalised unless target.sound says otherwise.
/// Errors: kInvalidArgument with the place and the reason; kTooLarge past a limit; kUnsupported for a known
/// kind of file that is deliberately not read.
Result<Tensor> decode_media(MediaType type, ByteView file, const MediaTarget& target);

/// Uses every decoder once on a tiny file, so that whatever a library opens or allocates lazily is there.
/// Called by the zygote before it forks; afterwards no decoder needs a file, a locale or a thread.
void warm_up_media();

}  // namespace noren::worker
