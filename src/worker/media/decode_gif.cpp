// GIF by giflib: the first frame on the whole screen. A palette that is i → (i,i,i) is grey, all else is RGB,
// and RGBA where the frame has a transparent index; outside the frame lies the transparent index, else index
// 0.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "worker/media/decoders.h"

namespace noren::worker {
namespace {

struct Source {
  ByteView left;
};

int read_bytes(GifFileType* gif, GifByteType* out, int size) {
  auto* source = static_cast<Source*>(gif->UserData);
  const std::size_t count = std::min(static_cast<std::size_t>(std::max(size, 0)), source->left.size());
  if (count > 0) std::memcpy(out, source->left.data(), count);
  source->left = source->left.subspan(count);
  return static_cast<int>(count);
}

struct Closer {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, Closer>;

Error damaged(const GifFileType* gif) {
  return make_error(Code::kInvalidArgument, "the GIF file is damaged or ends early",
                    gif == nullptr ? "" : "giflib error " + std::to_string(gif->Error));
}

/// The transparent index that the extensions before the first frame name, if any; stops at the frame.
Result<std::optional<int>> find_frame(GifFileType* gif) {
  std::optional<int> transparent;
  while (true) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &record) == GIF_ERROR) return damaged(gif);
    if (record == IMAGE_DESC_RECORD_TYPE) return transparent;
    if (record == TERMINATE_RECORD_TYPE) return invalid("the GIF file has no picture");
    if (record != EXTENSION_RECORD_TYPE) continue;
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) return damaged(gif);
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4 && (block[1] & 1) != 0)
      transparent = block[4];
    while (block != nullptr)
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return damaged(gif);
  }
}

struct Palette {
  std::uint8_t colors[256][4] = {};  ///< red, green, blue, alpha
  bool is_grey = true;               ///< no palette, or i → (i,i,i)
};

Palette palette_of(const GifFileType* gif, std::optional<int> transparent) {
  Palette palette;
  const ColorMapObject* map = gif->Image.ColorMap != nullptr ? gif->Image.ColorMap : gif->SColorMap;
  const int count = map == nullptr ? 0 : std::min(map->ColorCount, 256);
  for (int i = 0; i < 256; ++i) {
    const GifColorType color = i < count ? map->Colors[i] : GifColorType{0, 0, 0};
    palette.colors[i][0] = color.Red;
    palette.colors[i][1] = color.Green;
    palette.colors[i][2] = color.Blue;
    palette.colors[i][3] = transparent == i ? 0 : 255;
    if (i < count && (color.Red != i || color.Green != i || color.Blue != i)) palette.is_grey = false;
  }
  return palette;
}

/// The frame's rows into the picture of indices; an interlaced one has every 8th row first, then those
/// between.
Status read_frame(GifFileType* gif, Picture& indices) {
  struct Pass {
    int first, step;
  };
  constexpr Pass kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  constexpr Pass kPlain[] = {{0, 1}};
  const GifImageDesc& frame = gif->Image;
  const std::span<const Pass> passes = frame.Interlace ? std::span<const Pass>(kInterlaced) : kPlain;
  for (const Pass& pass : passes)
    for (int y = pass.first; y < frame.Height; y += pass.step)
      if (DGifGetLine(gif, indices.row(frame.Top + y) + frame.Left, frame.Width) == GIF_ERROR)
        return damaged(gif);
  return Ok{};
}

}  // namespace

Result<Picture> decode_gif(ByteView file) {
  Source source{file};
  int error = 0;
  const Gif gif(DGifOpen(&source, read_bytes, &error));
  if (gif == nullptr) return damaged(nullptr);
  ASSIGN_OR_RETURN(const std::optional<int> transparent, find_frame(gif.get()));
  if (DGifGetImageDesc(gif.get()) == GIF_ERROR) return damaged(gif.get());
  const GifImageDesc& frame = gif->Image;
  if (frame.Width <= 0 || frame.Height <= 0 || frame.Left < 0 || frame.Top < 0)
    return invalid("the GIF file's first frame is empty");
  const std::int64_t width = std::max(gif->SWidth, frame.Left + frame.Width);
  const std::int64_t height = std::max(gif->SHeight, frame.Top + frame.Height);
  ASSIGN_OR_RETURN(Picture indices, make_picture({width, height, 1, 8, ChannelKind::kPlain}));
  if (transparent.has_value())
    std::fill(indices.bytes.begin(), indices.bytes.end(), static_cast<std::uint8_t>(*transparent));
  TRY(read_frame(gif.get(), indices));
  const Palette palette = palette_of(gif.get(), transparent);
  if (palette.is_grey) return indices;
  const int channels = transparent.has_value() ? 4 : 3;
  ASSIGN_OR_RETURN(Picture picture,
                   make_picture({width, height, channels, 8,
                                 channels == 4 ? ChannelKind::kPaletteAlpha : ChannelKind::kPlain}));
  const auto pixel_bytes = static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < indices.bytes.size(); ++i)
    std::memcpy(&picture.bytes[i * pixel_bytes], palette.colors[indices.bytes[i]], pixel_bytes);
  return picture;
}

}  // namespace noren::worker
