// worker/import/image_metadata.h - How a model's own metadata says that its pictures were prepared. Private
// to import. Pure; what it gives is an input rule, so that there is one reader of rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "worker/model_file/onnx/onnx_file.h"

namespace noren::worker {

struct FoundRule {
  std::string text;    ///< "image:bgr:1/255", as behind "NAME=" of --input
  std::string source;  ///< for people: "metadata Image.BitmapPixelFormat"
};

enum class InputShape : std::uint8_t { kOfPicture, kOther };

/// Looked for, the first wins: "noren.input.NAME"; the ONNX standard's Image.* keys, which Windows ML and its
/// converters write; the keys of YOLO exporters. `shape` matters where the model names no input an image.
std::optional<FoundRule> rule_in_metadata(const OnnxFile& file, const OnnxPort& port, InputShape shape);

/// A sentence where the metadata asks for something that is not done; empty where there is nothing.
std::string unheeded_metadata(const OnnxFile& file);

}  // namespace noren::worker
