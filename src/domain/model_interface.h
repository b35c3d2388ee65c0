// domain/model_interface.h - What callers of a model write and read: its executors with their inputs and
// outputs, and what of it another version of the model would change. Used by the control plane before a
// version is replaced, by workers when they name outputs. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace noren {

/// An input or an output. Shapes are whole, with the batch axis as 1; -1 is an axis of free length.
struct ModelPort {
  std::string name;
  std::string type;  ///< "float32"
  std::vector<std::int64_t> shape;
};

struct ExecutorInterface {
  std::string name;
  std::vector<ModelPort> inputs;
  std::vector<ModelPort> outputs;
};

/// The first executor answers callers that name none.
struct ModelInterface {
  std::vector<ExecutorInterface> executors;
};

/// Names of outputs as answers have them: one trailing ' is dropped where that leaves them distinct.
std::vector<std::string> documented_names(std::span<const std::string> names);

/// What a caller of `before` would meet with `after`: phrases such as "it has no input 'x'".
/// Empty: nothing that it could notice but better answers.
std::vector<std::string> interface_changes(const ModelInterface& before, const ModelInterface& after);

}  // namespace noren
