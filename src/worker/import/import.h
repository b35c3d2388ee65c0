// worker/import/import.h - Import: an uploaded .nnp or .onnx into a package and a description.
// Called by the inspect loop of a throw-away worker, inside the sandbox; one call a process. Bytes in, bytes
// out.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace noren::worker {

struct ImportOptions {
  std::string file_name;  ///< what the user called it: for messages and to tell .nnp from .onnx where content
                          ///< does not
  /// `--input NAME=image:rgb:1/255` of a plain ONNX model, unparsed.
  std::vector<std::string> input_rules;
  enum class Layers : std::uint8_t {
    kCounted,
    kListed
  } layers = Layers::kCounted;  ///< noren inspect --layers
};

struct Imported {
  Bytes package;
  /// One flat JSON object (UTF-8): "format", "networks", "executors" (name, network, inputs, outputs),
  /// "parameters", "statistics" {CostParameter…}, "functions" (type → count), "per_request" {"eligible":
  /// bool, "reasons": […]}, "memory_bytes" (of a worker that has answered), "batchable", "random",
  /// "warnings" […].
  std::string description_json;
};

/// Errors: one sentence for the person who uploads, with the place ("layer 'Affine_2' (Affine): …").
Result<Imported> import_model(ByteView file, const ImportOptions& options);

}  // namespace noren::worker
