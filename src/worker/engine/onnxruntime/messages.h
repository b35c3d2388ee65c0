// worker/engine/onnxruntime/messages.h - ONNX Runtime's words as one sentence for people.
// Used where its exceptions are caught. Pure, any thread. Never lets a source path, a C++ name or a control
// character of the library through: what it gives may stand in an answer to a caller.
#pragma once

#include <string>
#include <string_view>

namespace noren::worker {

/// Why a model could not be opened: "node 'pool' (RoiAlign): ONNX Runtime has no implementation of it …".
std::string load_refusal(std::string_view what);

/// Why a run failed: "node 'gather' (Gather): indices element out of data bounds, idx=9 …".
std::string run_refusal(std::string_view what);

}  // namespace noren::worker
