#include "worker/import/onnx_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/import/port_description.h"

namespace noren::worker {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;

OnnxPort port(const std::string& name, Shape shape, std::vector<std::string> axis_names = {}) {
  OnnxPort port;
  port.name = name;
  axis_names.resize(shape.size());
  port.axis_denotations.resize(shape.size());
  port.shape = std::move(shape);
  port.axis_names = std::move(axis_names);
  return port;
}

OnnxFile file_of(std::vector<OnnxPort> inputs) {
  OnnxFile file;
  file.inputs = std::move(inputs);
  file.outputs = {port("y", {-1, 2})};
  return file;
}

InputSignature input_of(const OnnxFile& file, const std::vector<std::string>& rules = {}) {
  const auto signature = signature_of_onnx(file, rules);
  EXPECT_TRUE(signature.ok()) << (signature.ok() ? "" : signature.error().text);
  return signature.ok() ? signature->executor.inputs.at(0) : InputSignature{};
}

InputSignature with_rule(Shape shape, const std::string& rule) {
  return input_of(file_of({port("x", std::move(shape))}), {"x=" + rule});
}

std::string refusal(Shape shape, const std::string& rule) {
  const auto signature = signature_of_onnx(file_of({port("x", std::move(shape))}), {rule});
  EXPECT_FALSE(signature.ok()) << rule;
  return signature.ok() ? "" : signature.error().text;
}

TEST(OnnxImport, AFreeFirstAxisIsTheBatch) {
  for (const char* const name : {"", "batch", "N", "unk__12", "s0", "batch_size_at_time"}) {
    const InputSignature input = input_of(file_of({port("x", {-1, 3}, {name})}));
    EXPECT_TRUE(input.has_batch_axis) << name;
    EXPECT_EQ(input.shape, (Shape{1, 3})) << name;
  }
  EXPECT_FALSE(input_of(file_of({port("x", {1, 3})})).has_batch_axis);
  EXPECT_FALSE(input_of(file_of({port("x", {})})).has_batch_axis);
}

TEST(OnnxImport, AFirstAxisThatIsALengthIsNoBatch) {
  for (const char* const name : {"sequence", "seq_len", "T", "time", "num_frames"}) {
    const InputSignature input = input_of(file_of({port("x", {-1, 3}, {name})}));
    EXPECT_FALSE(input.has_batch_axis) << name;
    EXPECT_EQ(input.shape, (Shape{-1, 3})) << name;
  }
  const InputSignature lengths =
      input_of(file_of({port("lengths", {-1}, {"b"}), port("x", {-1, -1}, {"q", "b"})}));
  EXPECT_FALSE(lengths.has_batch_axis) << "it is a later axis of another input";
}

TEST(OnnxImport, LayoutFollowsTheShape) {
  const auto layout = [](Shape shape) {
    return input_of(file_of({port("x", std::move(shape))})).image.layout;
  };
  EXPECT_EQ(layout({-1, 3, 224, 224}), ImageLayout::kChannelsFirst);
  EXPECT_EQ(layout({-1, 224, 224, 3}), ImageLayout::kChannelsLast);
  EXPECT_EQ(layout({1, 224, 224, 1}), ImageLayout::kChannelsLast);
  EXPECT_EQ(layout({3, 224, 224}), ImageLayout::kChannelsFirst);
  EXPECT_EQ(layout({224, 224, 3}), ImageLayout::kChannelsLast);
  EXPECT_EQ(layout({-1, 2, 2, 3}), ImageLayout::kChannelsLast);
  EXPECT_EQ(layout({-1, -1, -1, 3}), ImageLayout::kChannelsLast);
  EXPECT_EQ(layout({-1, -1, -1, -1}), ImageLayout::kChannelsFirst);
  EXPECT_EQ(with_rule({-1, -1, -1, -1}, "image:channels-last").image.layout, ImageLayout::kChannelsLast);
}

TEST(OnnxImport, APictureIsScaledThenNormalised) {
  const InputSignature input =
      with_rule({-1, 3, 4, 4}, "image:rgb:1/255:mean=0.5,0.25,0:std=0.5,0.25,1:offset=2");
  EXPECT_THAT(input.image.scale, ElementsAre(FloatEq(2 / 255.0F), FloatEq(4 / 255.0F), FloatEq(1 / 255.0F)));
  EXPECT_THAT(input.image.offset, ElementsAre(FloatEq(1), FloatEq(1), FloatEq(2)));
  EXPECT_FALSE(input.image.normalize);
  EXPECT_FALSE(input.image.reverse_channels);
  EXPECT_TRUE(with_rule({-1, 3, 4, 4}, "image:bgr").image.reverse_channels);
  EXPECT_TRUE(with_rule({-1, 3, 4, 4}, "image:grey").image.grey);
  const InputSignature free = with_rule({-1, -1, -1, 3}, "image:rgb:size=48x64");
  EXPECT_EQ(free.image.height_count, 48);
  EXPECT_EQ(free.image.width_count, 64);
  EXPECT_EQ(with_rule({-1, -1, 48, -1}, "image:size=48x64").image.width_count, 64);
  EXPECT_EQ(with_rule({-1, 3, 48, 64}, "image:size=48x64").image.width_count, 64) << "it says what is so";
  EXPECT_EQ(with_rule({-1, 48, 64, 3}, "image:size=48x64").image.width_count, 64);
  EXPECT_EQ(with_rule({-1, -1, 8, 8}, "image:gray").image.channels_count, 1);
}

TEST(OnnxImport, RulesThatDoNotFitAreRefused) {
  EXPECT_THAT(refusal({3}, "y=image"), HasSubstr("the model has no input of this name"));
  EXPECT_THAT(refusal({3}, "x"), HasSubstr("NAME=RULE"));
  EXPECT_THAT(refusal({3}, "x=video"), HasSubstr("'image' or 'audio' is expected"));
  EXPECT_THAT(refusal({3}, "x=image:purple"), HasSubstr("'purple' is neither a word"));
  EXPECT_THAT(refusal({3}, "x=image:1/0"), HasSubstr("'1/0'"));
  EXPECT_THAT(refusal({3}, "x=image:nan"), HasSubstr("'nan'"));
  EXPECT_THAT(refusal({3}, "x=image:0"), HasSubstr("a factor of 0"));
  EXPECT_THAT(refusal({3}, "x=image:1:2"), HasSubstr("the factor is there twice"));
  EXPECT_THAT(refusal({3}, "x=image:rgb:bgr"), HasSubstr("there twice"));
  EXPECT_THAT(refusal({3}, "x=image:1e300"), HasSubstr("too large"));
  EXPECT_THAT(refusal({3}, "x=image:mean=1:std=1e-300"), HasSubstr("too large"));
  EXPECT_THAT(refusal({3}, "x=audio:1e39"), HasSubstr("too large"));
  EXPECT_THAT(refusal({3}, "x=image:std=0"), HasSubstr("std is 0"));
  EXPECT_THAT(refusal({3}, "x=image:mean=1,2,3,4,5"), HasSubstr("more than 4 numbers"));
  EXPECT_THAT(refusal({3, 4, 4}, "x=image:mean=1,2"), HasSubstr("2 numbers for the input's 3 channels"));
  EXPECT_THAT(refusal({3, 4, 4}, "x=image:mean=1,2:std=1,2,3"), HasSubstr("different counts"));
  EXPECT_THAT(refusal({1, 4, 4}, "x=image:rgb"), HasSubstr("the input has 1 channel"));
  EXPECT_THAT(refusal({3, 4, 4}, "x=image:size=4"), HasSubstr("HEIGHTxWIDTH"));
  EXPECT_THAT(refusal({3, 4, 4}, "x=image:size=0x4"), HasSubstr("HEIGHTxWIDTH"));
  EXPECT_THAT(refusal({3, 48, 64}, "x=image:size=64x48"), HasSubstr("the input's own size is 48x64"));
  EXPECT_THAT(refusal({-1, 48, 64, 3}, "x=image:size=48x65"), HasSubstr("the input's own size is 48x64"));
  EXPECT_THAT(refusal({-1, 3, -1, 64}, "x=image:size=64x48"), HasSubstr("the input's own size is anyx64"));
  EXPECT_THAT(refusal({48, 64}, "x=image:size=8x8"), HasSubstr("the input's own size is 48x64"));
  EXPECT_THAT(refusal({3}, "x=audio:rgb"), HasSubstr("'rgb' is neither a word"));
  EXPECT_THAT(refusal({3, 8, 8}, "x=audio:unit"), HasSubstr("no sound becomes an input of this shape"));
  EXPECT_FALSE(signature_of_onnx(file_of({port("x", {3})}), {"x=image", "x=image"}).ok()) << "two rules";
}

TEST(OnnxImport, SoundHasRulesToo) {
  EXPECT_EQ(input_of(file_of({port("x", {-1, 16000})})).sound.layout, SoundLayout::kChannelsFirst);
  EXPECT_EQ(input_of(file_of({port("x", {-1, -1, 2})})).sound.layout, SoundLayout::kChannelsLast);
  EXPECT_TRUE(with_rule({-1, -1}, "audio:unit").sound.unit);
  EXPECT_FLOAT_EQ(with_rule({-1, -1}, "audio:1/32768").sound.scale, 1 / 32768.0F);
}

TEST(OnnxImport, WhatARequestCannotCarryIsRefused) {
  OnnxPort sequence = port("x", {});
  sequence.container = "sequence(float32)";
  const auto signature = signature_of_onnx(file_of({sequence}), {});
  ASSERT_FALSE(signature.ok());
  EXPECT_THAT(signature.error().text,
              HasSubstr("input 'x' is of the type sequence(float32), which a request"));
}

TEST(OnnxImport, TheStandardsImageMetadataIsARule) {
  OnnxFile file = file_of({port("x", {-1, 3, 4, 4}), port("n", {-1, 3})});
  file.metadata = {{"Image.BitmapPixelFormat", "Bgr8"}, {"image.nominalPixelRange", "Normalized_1_1"}};
  const auto signature = signature_of_onnx(file, {});
  ASSERT_TRUE(signature.ok());
  const ImageRule& image = signature->executor.inputs[0].image;
  EXPECT_TRUE(image.reverse_channels);
  EXPECT_THAT(image.scale, ElementsAre(FloatEq(1 / 127.5F)));
  EXPECT_THAT(image.offset, ElementsAre(FloatEq(-1)));
  EXPECT_TRUE(signature->rule_sources.contains("x"));
  EXPECT_FALSE(signature->rule_sources.contains("n")) << "it does not look like a picture";
  const InputSignature told = input_of(file, {"x=image:rgb"});
  EXPECT_FALSE(told.image.reverse_channels) << "--input wins";
  EXPECT_THAT(told.image.scale, ElementsAre(1));
}

TEST(OnnxImport, DenotationsSayWhichInputIsAnImage) {
  OnnxFile file = file_of({port("a", {-1, 3, 4, 4}), port("b", {-1, 4, 4, 3})});
  file.metadata = {{"Image.BitmapPixelFormat", "Rgb8"}, {"Image.NominalPixelRange", "Normalized_0_1"}};
  file.inputs[1].denotation = "IMAGE";
  file.inputs[1].axis_denotations[3] = "DATA_CHANNEL";
  const auto signature = signature_of_onnx(file, {});
  ASSERT_TRUE(signature.ok());
  EXPECT_TRUE(signature->executor.inputs[0].image.scale.empty());
  EXPECT_THAT(signature->executor.inputs[1].image.scale, ElementsAre(FloatEq(1 / 255.0F)));
}

TEST(OnnxImport, YoloExportersMeanColoursFromZeroToOne) {
  OnnxFile file = file_of({port("images", {-1, 3, -1, -1})});
  file.metadata = {{"stride", "32"}, {"names", "{0: 'cat'}"}, {"imgsz", "[640, 480]"}};
  const InputSignature input = input_of(file);
  EXPECT_THAT(input.image.scale, ElementsAre(FloatEq(1 / 255.0F)));
  EXPECT_EQ(input.image.height_count, 640);
  EXPECT_EQ(input.image.width_count, 480);
  file.metadata["imgsz"] = "[640, 480, 3]";
  EXPECT_EQ(input_of(file).image.height_count, 0);
}

TEST(OnnxImport, MetadataThatDoesNotFitIsSaidNotObeyed) {
  OnnxFile file = file_of({port("x", {-1, 1, 4, 4})});
  file.metadata = {{"Image.BitmapPixelFormat", "Rgb8"}, {"Image.ColorSpaceGamma", "Linear"}};
  const auto signature = signature_of_onnx(file, {});
  ASSERT_TRUE(signature.ok());
  EXPECT_TRUE(signature->executor.inputs[0].image.scale.empty());
  ASSERT_EQ(signature->warnings.size(), 2u);
  EXPECT_THAT(signature->warnings[0], HasSubstr("is not heeded"));
  EXPECT_THAT(signature->warnings[1], HasSubstr("Linear"));
  file.metadata = {{"noren.input.x", "image:bgr"}};
  EXPECT_FALSE(signature_of_onnx(file, {}).ok()) << "what was written for us must fit";
}

TEST(OnnxImport, TheConsolesExporterNormalises) {
  OnnxFile file = file_of({port("x", {1, 1, 28, 28})});
  file.producer = "nnabla-onnx 1.39";
  EXPECT_TRUE(input_of(file).image.normalize);
  EXPECT_FALSE(input_of(file, {"x=image"}).image.normalize);
}

TEST(OnnxImport, InputsAreDescribed) {
  EXPECT_EQ(picture_text(with_rule({-1, 224, 224, 3}, "image:bgr:mean=104,117,123")),
            "a picture becomes blue, green, red, channels last, height 224, width 224: value (0 to 255) + "
            "(-104, -117, "
            "-123)");
  EXPECT_EQ(
      picture_text(with_rule({-1, -1, -1, -1}, "image:rgb:1/255")),
      "a picture becomes red, green, blue, channels first, in its own size: value (0 to 255) x 0.00392157");
  EXPECT_EQ(picture_text(input_of(file_of({port("x", {-1, 28, 28})}))),
            "a picture becomes grey, height 28, width 28: value (0 to 255)");
  EXPECT_EQ(picture_text(input_of(file_of({port("x", {-1, 784})}))),
            "a picture with as many values, in its order: value (0 to 255)");
  EXPECT_EQ(sound_text(with_rule({-1, 2, -1}, "audio:unit")),
            "a sound becomes 2 channels (first) of any length: full scale is 1");
  EXPECT_EQ(picture_text(input_of(file_of({port("x", {})}))), "");
}

}  // namespace
}  // namespace noren::worker
