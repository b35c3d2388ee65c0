// worker/media/layout.h - From a decoded picture or sound to the tensor that the network sees.
// Channels checked or converted, sides resized, values normalised, pixels and samples laid out as the target
// says. Any thread.
#pragma once

#include "worker/media/decoders.h"
#include "worker/media/media.h"
#include "worker/media/picture.h"

namespace noren::worker {

Result<Tensor> lay_out(Picture picture, const MediaTarget& target);
Result<Tensor> lay_out(Sound sound, const MediaTarget& target);

}  // namespace noren::worker
