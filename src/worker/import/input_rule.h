// worker/import/input_rule.h - What a file becomes before a plain ONNX model sees it: rules as people write
// them, and the layouts that an input's shape tells. Private to import. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

/// Sets the input's picture or sound rule from what stands behind "NAME=":
///   image[:rgb|bgr|gray][:FACTOR][:mean=…][:std=…][:offset=…][:size=HxW][:channels-first|channels-last]
///   audio[:FACTOR|unit][:channels-first|channels-last]
/// A picture's value is (v * FACTOR - mean) / std + offset, v from 0 to 255; mean, std and offset are one
/// number, or one for each channel in the input's order. Errors begin with `rule`, quoted.
Status apply_input_rule(const std::string& rule, std::string_view text, InputSignature& input);

/// Channels last where the last axis is a channel count and the one that would be channels-first is not.
ImageLayout image_layout_of(const Shape& sample);
SoundLayout sound_layout_of(const Shape& sample);

/// The sample's channel axis as the image layout says: -1 where it is free, 1 for [H,W], 0 where the input is
/// no map of pixels.
std::int64_t image_channels_of(const Shape& sample, ImageLayout layout);

}  // namespace noren::worker
