#include "worker/media/picture.h"

#include "base/limits.h"

namespace noren::worker {
namespace {

std::string sides(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

}  // namespace

Status check_picture_size(std::int64_t width, std::int64_t height, std::int64_t bytes_per_pixel) {
  if (width <= 0 || height <= 0) return invalid("the picture is empty (" + sides(width, height) + " pixels)");
  if (width > limits::kImageSideCount || height > limits::kImageSideCount)
    return make_error(Code::kTooLarge, "the picture is too large (" + sides(width, height) +
                                           " pixels, at most " + std::to_string(limits::kImageSideCount) +
                                           " a side)");
  if (width * height > limits::kImagePixelsCount)
    return make_error(Code::kTooLarge, "the picture is too large (" + sides(width, height) + ", at most " +
                                           std::to_string(limits::kImagePixelsCount) + " pixels)");
  if (width * height * bytes_per_pixel > limits::kImageUnpackedBytes)
    return make_error(Code::kTooLarge, "the picture is too large when unpacked (" + sides(width, height) +
                                           ", " + std::to_string(bytes_per_pixel) + " bytes a pixel)");
  return Ok{};
}

Result<Picture> make_picture(const PictureFormat& format) {
  TRY(check_picture_size(format.width, format.height, format.channels_count * (format.bits_count / 8)));
  Picture picture;
  picture.width = format.width;
  picture.height = format.height;
  picture.channels_count = format.channels_count;
  picture.bits_count = format.bits_count;
  picture.kind = format.kind;
  picture.bytes.resize(static_cast<std::size_t>(picture.row_bytes() * picture.height));
  return picture;
}

std::string describe_picture(const Picture& picture) {
  return sides(picture.width, picture.height) + " pixels, " + std::to_string(picture.channels_count) +
         (picture.channels_count == 1 ? " channel" : " channels");
}

}  // namespace noren::worker
