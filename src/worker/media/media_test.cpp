#include "worker/media/media.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/limits.h"
#include "worker/media/decoders.h"
#include "worker/media/layout.h"

namespace noren::worker {
namespace {

Picture picture_of(std::int64_t width, std::int64_t height, int channels, std::vector<std::uint8_t> bytes,
                   ChannelKind kind = ChannelKind::kPlain) {
  Picture picture;
  picture.width = width;
  picture.height = height;
  picture.channels_count = channels;
  picture.kind = kind;
  picture.bytes = std::move(bytes);
  return picture;
}

MediaTarget raw_target(Shape shape, ImageLayout layout = ImageLayout::kSampleShape) {
  MediaTarget target;
  target.shape = std::move(shape);
  target.normalization = Normalization::kNone;
  target.layout = layout;
  return target;
}

std::vector<float> laid_out(Picture picture, const MediaTarget& target) {
  const Result<Tensor> tensor = lay_out(std::move(picture), target);
  if (!tensor.ok()) return {-1};
  return {tensor->data<float>(), tensor->data<float>() + tensor->count()};
}
using Floats = std::vector<float>;

TEST(MediaType, Extensions) {
  EXPECT_EQ(media_type_of("png"), MediaType::kImage);
  EXPECT_EQ(media_type_of("TiFF"), MediaType::kImage);
  EXPECT_EQ(media_type_of("dcm"), MediaType::kDicom);
  EXPECT_EQ(media_type_of("WAV"), MediaType::kWav);
  for (const char* other : {"", "pn", "pngg", ".png", "image/png", "webp", "vector", "png "})
    EXPECT_EQ(media_type_of(other), std::nullopt) << other;
}

TEST(Layout, ChannelsFirstLastAndFlat) {
  const Picture picture = picture_of(2, 1, 3, {1, 2, 3, 4, 5, 6});
  const Floats first = {1, 4, 2, 5, 3, 6};
  EXPECT_EQ(laid_out(picture, raw_target({3, 1, 2})), first);
  EXPECT_EQ(laid_out(picture, raw_target({1, 3, 1, 2})), first);
  EXPECT_EQ(laid_out(picture, raw_target({6})), first);
  EXPECT_EQ(laid_out(picture, raw_target({1, 2, 3}, ImageLayout::kChannelsLast)), Floats({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(laid_out(picture, raw_target({-1, -1, -1}, ImageLayout::kChannelsFirst)), first);
  EXPECT_EQ(laid_out(picture_of(2, 1, 1, {7, 8}), raw_target({1, 2})), Floats({7, 8}));
  EXPECT_EQ(laid_out(picture, raw_target({5})), Floats({-1}));
  EXPECT_EQ(laid_out(picture, raw_target({2, 3, 1, 2})), Floats({-1}));
}

TEST(Layout, NormalisationAsTheReferenceHasIt) {
  MediaTarget target = raw_target({1, 1, 2});
  target.normalization = Normalization::kImage;
  EXPECT_EQ(laid_out(picture_of(2, 1, 1, {51, 255}), target),
            Floats({static_cast<float>(51 * (1.0 / 255.0)), 1}));
  Picture wide = picture_of(2, 1, 1, {0, 0, 0, 0});
  wide.bits_count = 16;
  const std::uint16_t values[] = {65535, 13107};
  std::memcpy(wide.bytes.data(), values, 4);
  EXPECT_EQ(laid_out(wide, target), Floats({1, static_cast<float>(13107 * (1.0 / 65535.0))}));
  EXPECT_EQ(laid_out(wide, raw_target({1, 1, 2})), Floats({65535, 13107}));
}

TEST(Layout, TrainedModelsConvertNothingButWhatMayBeLeftOut) {
  EXPECT_EQ(laid_out(picture_of(1, 1, 3, {1, 2, 3}), raw_target({1, 1, 1})), Floats({-1}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 1, {1}), raw_target({3, 1, 1})), Floats({-1}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 4, {1, 2, 3, 0}, ChannelKind::kAlpha), raw_target({3, 1, 1})),
            Floats({-1}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 4, {1, 2, 3, 0}, ChannelKind::kPaletteAlpha), raw_target({3, 1, 1})),
            Floats({1, 2, 3}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 4, {1, 2, 3, 0}, ChannelKind::kPaletteAlpha), raw_target({3})),
            Floats({1, 2, 3}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 3, {9, 9, 9}, ChannelKind::kGreyTripled), raw_target({1, 1, 1})),
            Floats({9}));
}

TEST(Layout, PlainOnnxModelsGetWhatTheyTake) {
  const auto first = [](Shape shape) { return raw_target(std::move(shape), ImageLayout::kChannelsFirst); };
  EXPECT_EQ(laid_out(picture_of(1, 1, 1, {7}), first({3, 1, 1})), Floats({7, 7, 7}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 3, {255, 0, 0}), first({1, 1, 1})), Floats({76}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 4, {1, 2, 3, 0}, ChannelKind::kAlpha), first({3, 1, 1})),
            Floats({1, 2, 3}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 2, {5, 0}, ChannelKind::kAlpha), first({3, 1, 1})), Floats({5, 5, 5}));
  EXPECT_EQ(laid_out(picture_of(1, 1, 4, {1, 2, 3, 4}), first({3, 1, 1})), Floats({-1})) << "CMYK";
  MediaTarget target = first({3, 1, 1});
  const float scale[] = {1, 2, 3};
  const float offset[] = {10, 20, 30};
  target.scale = scale;
  target.offset = offset;
  target.reverse_channels = true;
  EXPECT_EQ(laid_out(picture_of(1, 1, 3, {1, 2, 3}), target), Floats({3 + 10, 2 * 2 + 20, 3 * 1 + 30}));
}

TEST(PictureSize, LimitsAndOnePastThem) {
  EXPECT_TRUE(check_picture_size(limits::kImageSideCount, 1, 1).ok());
  EXPECT_FALSE(check_picture_size(limits::kImageSideCount + 1, 1, 1).ok());
  EXPECT_FALSE(check_picture_size(1, limits::kImageSideCount + 1, 1).ok());
  EXPECT_TRUE(check_picture_size(8'000, 8'000, 1).ok());
  EXPECT_FALSE(check_picture_size(8'000, 8'001, 1).ok());
  EXPECT_TRUE(check_picture_size(8'000, 8'000, 4).ok());
  EXPECT_FALSE(check_picture_size(8'000, 8'000, 5).ok());
  EXPECT_FALSE(check_picture_size(0, 1, 1).ok());
  EXPECT_FALSE(check_picture_size(1, -1, 1).ok());
}

TEST(Media, AnyBytesAreRefusedInWords) {
  for (const MediaType type : {MediaType::kImage, MediaType::kDicom, MediaType::kWav})
    for (const std::string& file :
         {std::string(), std::string("x"), std::string("\x89PNG\r\n\x1a\n", 8),
          std::string("\xff\xd8\xff\xe0"), std::string("GIF89a"), std::string("BM"), std::string("II*\0", 4),
          std::string("MM\0*\0\0\0\x08", 8), std::string(128, '\0') + "DICM",
          std::string("RIFF\0\0\0\0WAVE", 12), std::string(1'000, '\xff')}) {
      const Result<Tensor> tensor = decode_media(type, bytes_of(file), raw_target({1, 4, 4}));
      ASSERT_FALSE(tensor.ok());
      EXPECT_NE(tensor.error().code, Code::kInternal);
      EXPECT_FALSE(tensor.error().text.empty());
    }
}

TEST(Media, WarmUpMayRunMoreThanOnce) {
  warm_up_media();
  warm_up_media();
}

}  // namespace
}  // namespace noren::worker
