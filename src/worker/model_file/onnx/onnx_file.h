// worker/model_file/onnx/onnx_file.h - What a plain .onnx upload says about itself: inputs, outputs, opset,
// metadata, count of scalars. Called by import in a sandboxed worker, once a process. Bytes in, plain types
// out: opens no file, refuses external data anywhere in the model. Whether the graph runs is for the engine
// to say.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

struct OnnxPort {
  std::string name;
  ElementType type = ElementType::kFloat32;
  Shape shape;  ///< -1 for a free axis
  /// For each axis its symbolic name ("batch"), "" where it has none.
  std::vector<std::string> axis_names;
  /// What the model calls it ("IMAGE") and its axes ("DATA_CHANNEL"), as the standard names them; "" for
  /// none.
  std::string denotation;
  std::vector<std::string> axis_denotations;
  bool has_shape = true;  ///< false where the model does not even say the rank
  /// "sequence(map(int64,float32))" and the like, as the engine writes it; empty for tensors.
  std::string container;
};

struct OnnxFile {
  std::vector<OnnxPort> inputs;  ///< without those that an initializer fills
  std::vector<OnnxPort> outputs;
  std::int64_t ir_version = 0;
  std::map<std::string, std::int64_t> opsets;  ///< by domain; "" is the standard one
  std::string producer;
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::int64_t> operators_count;  ///< by type, subgraphs included
  /// Outputs that are maps: their keys, in the order in which the answer has their values.
  std::map<std::string, std::vector<std::string>> labels;
  std::int64_t stored_scalars_count = 0;  ///< elements of all initializers
  /// Elements of initializers, counted at each node that uses them: what statistics show.
  std::int64_t cost_parameter_count = 0;
  /// The same and tensors in attributes (Constant): who decides by size takes this one.
  std::int64_t used_scalars_count = 0;
};

/// Errors: one sentence for the person who uploads, with the place.
Result<OnnxFile> read_onnx(ByteView file);

}  // namespace noren::worker
