#include "worker/media/resize.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

namespace noren::worker {
namespace {

/// The generator of tests/data/resize/make.py.
std::vector<std::uint8_t> noise(std::uint32_t seed, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) {
    seed = seed * 1664525u + 1013904223u;
    byte = static_cast<std::uint8_t>(seed >> 24);
  }
  return bytes;
}

std::uint32_t fnv(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t value = 0x811C9DC5;
  for (const std::uint8_t byte : bytes) value = (value ^ byte) * 0x01000193u;
  return value;
}

Picture picture_of(std::int64_t width, std::int64_t height, int channels, ChannelKind kind) {
  Picture picture;
  picture.width = width;
  picture.height = height;
  picture.channels_count = channels;
  picture.kind = kind;
  picture.bytes.resize(static_cast<std::size_t>(width * height * channels));
  return picture;
}

TEST(Resize, IsPillowsBilinearToTheBit) {
  std::ifstream table(std::string(NOREN_SOURCE_DIR) + "/tests/data/resize/resize.tsv");
  std::string mode;
  std::int64_t width, height, new_width, new_height;
  std::uint32_t seed, hash;
  int lines_count = 0;
  while (table >> mode >> width >> height >> new_width >> new_height >> std::dec >> seed >> std::hex >>
         hash >> std::dec) {
    const bool has_alpha = mode == "LA" || mode == "RGBA";
    const int channels = mode == "CMYK" ? 4 : static_cast<int>(mode.size());
    Picture picture =
        picture_of(width, height, channels, has_alpha ? ChannelKind::kAlpha : ChannelKind::kPlain);
    picture.bytes = noise(seed, picture.bytes.size());
    const Result<Picture> resized = resize(picture, new_width, new_height);
    ASSERT_TRUE(resized.ok());
    EXPECT_EQ(fnv(resized->bytes), hash)
        << mode << " " << width << "x" << height << " to " << new_width << "x" << new_height;
    ++lines_count;
  }
  EXPECT_EQ(lines_count, 160);
}

TEST(Resize, SixteenBitsKeepAConstantAndTheMean) {
  Picture picture = picture_of(6, 4, 1, ChannelKind::kPlain);
  picture.bits_count = 16;
  picture.bytes.resize(6 * 4 * 2);
  auto* values = reinterpret_cast<std::uint16_t*>(picture.bytes.data());
  std::fill_n(values, 24, std::uint16_t{65535});
  const Result<Picture> same = resize(picture, 3, 9);
  ASSERT_TRUE(same.ok());
  for (std::size_t i = 0; i < same->bytes.size(); ++i) EXPECT_EQ(same->bytes[i], 255);
  for (int i = 0; i < 24; ++i) values[i] = static_cast<std::uint16_t>(i % 2 == 0 ? 1000 : 3000);
  const Result<Picture> mean = resize(picture, 1, 1);
  ASSERT_TRUE(mean.ok());
  std::uint16_t value = 0;
  std::memcpy(&value, mean->bytes.data(), 2);
  EXPECT_NEAR(value, 2000, 300);
}

TEST(Resize, WorkBetweenThePassesIsLimited) {
  const Picture picture = picture_of(1, 32'768, 1, ChannelKind::kPlain);
  const Result<Picture> resized = resize(picture, 32'768, 32'768);
  ASSERT_FALSE(resized.ok());
  EXPECT_EQ(resized.error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace noren::worker
