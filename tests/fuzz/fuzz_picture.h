// tests/fuzz/fuzz_picture.h - What the fuzz targets of the picture decoders share: decode, then lay out in
// three ways.
#pragma once

#include "worker/media/decoders.h"
#include "worker/media/layout.h"

namespace noren::worker {

template <typename Decode>
int fuzz_picture(const std::uint8_t* data, std::size_t size, Decode decode) {
  const Result<Picture> picture = decode(ByteView(data, size));
  if (!picture.ok()) {
    CHECK(!picture.error().text.empty());
    return 0;
  }
  for (const ImageLayout layout : {ImageLayout::kSampleShape, ImageLayout::kChannelsLast}) {
    MediaTarget target;
    target.shape =
        layout == ImageLayout::kSampleShape ? Shape{picture->channels_count, 7, 5} : Shape{9, 4, 3};
    target.layout = layout;
    static_cast<void>(lay_out(*picture, target));
  }
  MediaTarget flat;
  flat.shape = {picture->width * picture->height * picture->channels_count};
  static_cast<void>(lay_out(*picture, flat));
  return 0;
}

}  // namespace noren::worker
