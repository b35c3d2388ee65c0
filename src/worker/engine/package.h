// worker/engine/package.h - The package: what import makes of an upload, what is stored, and what a worker
// serves. One ONNX model an executor plus the signature, in one block of bytes. Written by import and read by
// serve, both inside a sandboxed worker; the server stores it unread. Everything in it is checked again when
// it is read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/engine/engine.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct Package {
  ModelSignature signature;
  std::vector<ByteView> models;  ///< ONNX bytes, one an executor, aligned to 64 bytes; views into the source
};

/// "NRNPKG" + format version, then the signature, then the models. `models` has one entry an executor.
Bytes encode_package(const ModelSignature& signature, const std::vector<Bytes>& models);
/// Views into `bytes`, which must outlive the package. Errors: kCorrupt.
Result<Package> decode_package(ByteView bytes);

/// A package opened for running: one session an executor, opened on first use.
class ServableModel {
 public:
  /// `package_bytes` must outlive the model.
  static Result<std::unique_ptr<ServableModel>> open(ByteView package_bytes, const EngineOptions& options);
  ~ServableModel();

  const ModelSignature& signature() const;
  /// Opens the executor's session now (loading counts in the first request's time otherwise).
  Status prepare(std::size_t executor_index);
  /// One request: inputs in the executor's order with batch 1; evaluations and their mean, last or deviation
  /// are done here. Outputs in the executor's order.
  Result<std::vector<Tensor>> run(std::size_t executor_index, std::span<const Tensor> inputs);
  /// Several requests of a batchable executor as one run. rows[r] are the inputs of request r; the answer has
  /// the same order. Requires executor.batchable and equal sample shapes.
  Result<std::vector<std::vector<Tensor>>> run_batch(std::size_t executor_index,
                                                     std::span<const std::vector<Tensor>> rows);

 private:
  struct State;
  explicit ServableModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace noren::worker
