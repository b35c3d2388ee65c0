// worker/tensor/signature.h - What a model takes and gives: executors with their inputs and outputs.
// Made by import, stored in the package, read by the protocol (to check a request) and the engine (to run
// it). Plain data, any thread; knows no file format.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/tensor/tensor.h"

namespace noren::worker {

/// How a picture lies in an input's tensor.
enum class ImageLayout : std::uint8_t {
  kSampleShape,    ///< as the sample's shape says, channels first (.nnp)
  kChannelsFirst,  ///< [N,]C,H,W (.onnx)
  kChannelsLast,   ///< [N,]H,W,C (.onnx)
};

/// What happens to a picture's values: value * scale[c] + offset[c], after the picture was brought to 0..255.
struct ImageRule {
  ImageLayout layout = ImageLayout::kSampleShape;
  /// 8-bit values are multiplied by 1/255 and 16-bit ones by 1/65535, as training did.
  bool normalize = true;
  /// Further per-channel scale and offset, empty for none (.onnx with a normalisation set at publish).
  std::vector<float> scale;
  std::vector<float> offset;
  /// Channels in the order blue, green, red.
  bool reverse_channels = false;
  /// Brightness only, in every channel that the input has.
  bool grey = false;
  // What a picture is brought to where the input's own axis is free; 0: as the file is.
  std::int64_t channels_count = 0;
  std::int64_t height_count = 0;
  std::int64_t width_count = 0;
};

/// How a sound lies in an input's tensor.
enum class SoundLayout : std::uint8_t {
  kInterleaved,    ///< as many values as the file has, in its order (.nnp)
  kChannelsFirst,  ///< [N,][C,]T (.onnx)
  kChannelsLast,   ///< [N,]T,C (.onnx)
};

/// What happens to a sound's samples: sample * scale, after full scale became 1 where `unit` says so.
struct SoundRule {
  SoundLayout layout = SoundLayout::kInterleaved;
  bool unit = false;
  float scale = 1.0F;
};

struct InputSignature {
  std::string name;        ///< the name a caller writes (the data name)
  std::string variable;    ///< the network's own name, accepted where it is unambiguous
  std::string graph_name;  ///< the input of the ONNX graph
  ElementType type = ElementType::kFloat32;
  /// Full shape with the batch axis as 1. -1 stands for a free axis of a plain ONNX model.
  Shape shape;
  /// True where axis 0 is the batch: then a sample is shape without axis 0, and rows may be stacked along it.
  bool has_batch_axis = true;
  /// False where a plain ONNX model leaves even the rank open: the request's own lists say the shape.
  bool has_shape = true;
  ImageRule image;
  SoundRule sound;
};

/// The shape of one sample: without the batch axis, where the input has one.
Shape sample_shape(const InputSignature& input);

struct OutputSignature {
  std::string name;  ///< the output's data name, as the model says it (with a trailing ')
  std::string variable;
  std::string graph_name;
  ElementType type = ElementType::kFloat32;
  Shape shape;  ///< with batch 1; -1 where only running tells
  bool has_batch_axis = true;
};

/// How several evaluations of one request become one answer.
enum class EvaluationMode : std::uint8_t { kMean, kLast, kStandardDeviation };

struct ExecutorSignature {
  std::string name;
  std::vector<InputSignature> inputs;
  std::vector<OutputSignature> outputs;
  std::int64_t evaluations_count = 1;
  EvaluationMode evaluation_mode = EvaluationMode::kMean;
  /// Draws random numbers: answers differ by design, requests are never batched.
  bool random = false;
  /// Rows were proved independent, and every input and output has a batch axis.
  bool batchable = false;
};

struct ModelSignature {
  std::vector<ExecutorSignature> executors;  ///< the first one answers when a request names none
};

}  // namespace noren::worker
