// worker/engine/engine.h - Runs ONNX models: load, run, unload. The only room that knows ONNX Runtime.
// Called by session and by import, inside the sandbox, on the worker's one thread (ONNX Runtime gets its own
// threads only where the options ask for more than one). Never opens a file, never downloads, never logs
// values.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

enum class Device : std::uint8_t { kCpu, kCuda };

/// Whether a session meets few shapes of inputs, so that it pays to plan the memory of a run for each.
enum class InputShapes : std::uint8_t { kAny, kFew };

struct EngineOptions {
  int threads_count = 1;
  Device device = Device::kCpu;
  std::int64_t device_memory_limit_bytes = 0;  ///< 0: no limit; CUDA only
  InputShapes input_shapes = InputShapes::kAny;
};

/// A named tensor of a graph. -1 in the shape: free.
struct GraphPort {
  std::string name;
  ElementType type = ElementType::kFloat32;
  Shape shape;
  /// Not a tensor: "sequence(map(int64,float32))" and the like; empty for tensors.
  std::string container;
};

class Session {
 public:
  virtual ~Session() = default;
  virtual const std::vector<GraphPort>& inputs() const = 0;
  virtual const std::vector<GraphPort>& outputs() const = 0;
  /// Runs once. `inputs` in the order of inputs(), each with a concrete shape. Outputs in the order of
  /// outputs(). A sequence of maps becomes one tensor of the maps' values, rows in sequence order, columns in
  /// key order. Errors: kInvalidArgument with ONNX Runtime's reason made safe (the model does not take these
  /// shapes).
  virtual Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) = 0;
};

/// The one locale for texts: Unicode's letter case. Opened by warm_up_engine, so that a sandboxed child,
/// which opens no file, still has it.
inline constexpr char kTextLocale[] = "C.UTF-8";

/// Starts ONNX Runtime's environment (telemetry off, no global thread pool, our operators registered) and
/// runs a tiny model once, so that whatever it opens or allocates lazily is there. Called by the zygote
/// before it forks.
Status warm_up_engine();

/// Opens a session on a serialized ONNX model. The bytes must stay alive as long as the session.
Result<std::unique_ptr<Session>> open_session(ByteView onnx_model, const EngineOptions& options);

}  // namespace noren::worker
