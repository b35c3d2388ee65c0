// worker/media/resize.h - The resize that training used: Pillow's BILINEAR, to the bit for 8-bit pictures.
// A triangle filter that widens when it shrinks (antialiased), horizontal pass first, each pass rounded to
// pixels; colours are premultiplied where there is an alpha channel. Any thread.
#pragma once

#include "worker/media/picture.h"

namespace noren::worker {

/// The same picture with these sides. Errors: kTooLarge where the work between the passes is over the limit.
Result<Picture> resize(const Picture& picture, std::int64_t width, std::int64_t height);

}  // namespace noren::worker
