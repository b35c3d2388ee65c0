// worker/model_file/onnx/graph_walk.h - Goes through all graphs of an ONNX model: refuses external data,
// counts. Used by read_onnx() on its one thread. Private to this folder.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "worker/model_file/onnx/onnx_file.h"

namespace noren::worker {

/// Main graph, subgraphs, functions and training graphs. Fills the counts of `file`.
Status walk_onnx_graphs(const onnx::ModelProto& model, OnnxFile& file);

/// A name that goes into messages and answers must be short and UTF-8.
Status check_onnx_name(std::string_view name, const std::string& owner);

}  // namespace noren::worker
