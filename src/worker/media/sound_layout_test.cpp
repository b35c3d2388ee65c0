#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/media/decoders.h"
#include "worker/media/media.h"

namespace noren::worker {
namespace {

using testing::HasSubstr;

/// A RIFF file of one fmt and one data chunk.
std::string wav(std::uint16_t channels, std::uint16_t bits, const std::string& data,
                std::uint16_t coding = 1) {
  const auto little = [](std::uint32_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
  };
  const std::uint32_t block = channels * bits / 8u;
  const std::string format = little(coding, 2) + little(channels, 2) + little(8000, 4) +
                             little(8000 * block, 4) + little(block, 2) + little(bits, 2);
  const std::string body = "WAVEfmt " + little(16, 4) + format + "data" +
                           little(static_cast<std::uint32_t>(data.size()), 4) + data;
  return "RIFF" + little(static_cast<std::uint32_t>(body.size()), 4) + body;
}

std::string wav_of(std::uint16_t channels, const std::vector<std::int16_t>& samples) {
  std::string data;
  for (const std::int16_t sample : samples) {
    data += static_cast<char>(sample & 255);
    data += static_cast<char>(sample >> 8 & 255);
  }
  return wav(channels, 16, data);
}

Result<Tensor> take(const std::string& file, Shape shape, SoundLayout layout, SoundRule rule = {}) {
  rule.layout = layout;
  MediaTarget target;
  target.shape = std::move(shape);
  target.sound = rule;
  return decode_media(MediaType::kWav, bytes_of(file), target);
}

std::vector<float> values(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << (tensor.ok() ? "" : tensor.error().text);
  if (!tensor.ok()) return {};
  return {tensor->data<float>(), tensor->data<float>() + tensor->count()};
}

std::string refusal(const Result<Tensor>& tensor) {
  EXPECT_FALSE(tensor.ok());
  return tensor.ok() ? "" : tensor.error().text;
}

TEST(SoundLayout, InterleavedCountMustBeTheInputs) {
  const std::string file = wav(2, 16, std::string(12, '\1'));
  EXPECT_EQ(values(take(file, {6}, SoundLayout::kInterleaved)), std::vector<float>(6, 257));
  EXPECT_EQ(refusal(take(file, {5}, SoundLayout::kInterleaved)),
            "the WAV file has 6 samples (2 channels), 5 expected");
  EXPECT_FALSE(decode_wav(bytes_of(wav(2, 16, std::string(6, '\1')))).ok()) << "half a block";
}

TEST(SoundLayout, EveryPrefixIsRefusedOrShort) {
  const std::string file = wav(1, 24, std::string(9, '\x80'));
  EXPECT_EQ(decode_wav(bytes_of(file))->samples[0],
            static_cast<float>(static_cast<std::int32_t>(0x80808000)));
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_FALSE(take(file.substr(0, size), {3}, SoundLayout::kInterleaved).ok()) << size;
}

TEST(SoundLayout, ChannelsLieFirstOrLast) {
  const std::string stereo = wav_of(2, {1, 10, 2, 20, 3, 30});
  EXPECT_EQ(values(take(stereo, {2, 3}, SoundLayout::kChannelsFirst)),
            (std::vector<float>{1, 2, 3, 10, 20, 30}));
  EXPECT_EQ(values(take(stereo, {1, -1, -1}, SoundLayout::kChannelsFirst)),
            (std::vector<float>{1, 2, 3, 10, 20, 30}));
  EXPECT_EQ(take(stereo, {1, -1, -1}, SoundLayout::kChannelsFirst)->shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(values(take(stereo, {3, 2}, SoundLayout::kChannelsLast)),
            (std::vector<float>{1, 10, 2, 20, 3, 30}));
  EXPECT_EQ(take(stereo, {-1, 2}, SoundLayout::kChannelsLast)->shape(), (Shape{3, 2}));
}

TEST(SoundLayout, ChannelsAreBroughtToTheInputs) {
  const std::string stereo = wav_of(2, {1, 10, 2, 20});
  EXPECT_EQ(values(take(stereo, {-1}, SoundLayout::kChannelsFirst)), (std::vector<float>{5.5F, 11}));
  EXPECT_EQ(values(take(stereo, {1, 2}, SoundLayout::kChannelsFirst)), (std::vector<float>{5.5F, 11}));
  EXPECT_EQ(values(take(wav_of(1, {1, 2}), {2, 2}, SoundLayout::kChannelsFirst)),
            (std::vector<float>{1, 2, 1, 2}));
  EXPECT_EQ(refusal(take(stereo, {3, 2}, SoundLayout::kChannelsFirst)),
            "the WAV file has 2 channels, the input takes 3");
}

TEST(SoundLayout, LengthIsTheFilesOrTheInputs) {
  const std::string mono = wav_of(1, {1, 2, 3});
  EXPECT_EQ(take(mono, {-1}, SoundLayout::kChannelsFirst)->shape(), Shape{3});
  EXPECT_EQ(refusal(take(mono, {1, 4}, SoundLayout::kChannelsFirst)),
            "the WAV file has 3 samples a channel, the input takes 4");
  EXPECT_THAT(refusal(take(mono, {2, 1, 3}, SoundLayout::kChannelsFirst)), HasSubstr("takes no sound"));
  EXPECT_THAT(refusal(take(mono, {}, SoundLayout::kChannelsFirst)), HasSubstr("takes no sound"));
  EXPECT_THAT(refusal(take(mono, {0, 3}, SoundLayout::kChannelsFirst)), HasSubstr("takes no sound"));
  EXPECT_THAT(refusal(take(mono, {3, 0}, SoundLayout::kChannelsLast)), HasSubstr("takes no sound"));
}

TEST(SoundLayout, FullScaleBecomesOne) {
  const SoundRule unit{.unit = true};
  EXPECT_EQ(values(take(wav_of(1, {-32768, 16384}), {2}, SoundLayout::kChannelsFirst, unit)),
            (std::vector<float>{-1, 0.5F}));
  EXPECT_EQ(values(take(wav(1, 8, {'\0', '\x80', '\xC0'}), {3}, SoundLayout::kChannelsFirst, unit)),
            (std::vector<float>{-1, 0, 0.5F}));
  EXPECT_EQ(values(take(wav(1, 24, {'\0', '\0', '\xC0'}), {1}, SoundLayout::kChannelsFirst, unit)),
            (std::vector<float>{-0.5F}));
  const std::string half("\0\0\0\x3F", 4);  // 0.5 as a float
  EXPECT_EQ(values(take(wav(1, 32, half, 3), {1}, SoundLayout::kChannelsFirst, unit)),
            (std::vector<float>{0.5F}));
  EXPECT_EQ(values(take(wav_of(1, {32}), {1}, SoundLayout::kChannelsFirst, {.scale = 0.25F})),
            (std::vector<float>{8}));
}

}  // namespace
}  // namespace noren::worker
