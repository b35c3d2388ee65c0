// worker/session/servable.h - What a serve loop serves: a model together with the protocol that its requests
// speak. Made by the app from the engine and the protocol room (from a toy in tests); called on the worker's
// one thread, inside the sandbox. Implementations never read the socket and never exit; exceptions are caught
// by the loop.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "link/messages.h"
#include "worker/protocol/classic/classic.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

struct ParsedRequest {
  std::size_t executor_index = 0;
  std::vector<Tensor> inputs;  ///< in the executor's order, batch 1; owns its values
};

class Servable {
 public:
  virtual ~Servable() = default;
  /// Whether requests of this executor may share a run.
  virtual bool batchable(std::size_t executor_index) const = 0;
  /// `body` has limits::kFramePaddingBytes readable bytes behind it. Errors are the caller's fault, unless
  /// kInternal.
  virtual Result<ParsedRequest> parse(ByteView body, AcceptedFiles accepted) = 0;
  virtual Result<std::vector<Tensor>> run(std::size_t executor_index, std::span<const Tensor> inputs) = 0;
  /// Only for batchable executors and rows of equal shapes. One answer a row.
  virtual Result<std::vector<std::vector<Tensor>>> run_batch(std::size_t executor_index,
                                                             std::span<const std::vector<Tensor>> rows) = 0;
  /// Answers a request of the model's own inputs with each executor: what the first caller would meet.
  virtual Status try_sample() = 0;
  /// Appends the answer's bytes.
  virtual Status format(std::size_t executor_index, std::span<const Tensor> outputs, Bytes& out) = 0;
};

/// Opens a package, ready for its first request. `package` outlives the servable.
using OpenServable =
    std::function<Result<std::unique_ptr<Servable>>(ByteView package, const link::LoadRequest& options)>;

}  // namespace noren::worker
