// worker/protocol/classic/classic.h - The classic protocol: a request's bytes into tensors, tensors into the
// answer's. The wire format of the closed cloud service, kept byte for byte: JSON with vectors or base64
// files in, JSON with numbers as text out. Called by a worker's serve loop on its one thread; knows no HTTP,
// no key and no engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/tensor/signature.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

/// Which file types a request may carry: "per request" takes neither DICOM nor sound.
enum class AcceptedFiles : std::uint8_t { kAll, kPerRequest };

struct ClassicRequest {
  std::size_t executor_index = 0;
  std::vector<Tensor> inputs;  ///< in the executor's order, with the batch axis as 1 where the model has one
};

/// Reads requests of one model. Keeps its buffers from one request to the next.
class ClassicParser {
 public:
  /// `signature` must outlive the parser.
  explicit ClassicParser(const ModelSignature& signature);
  ClassicParser(ClassicParser&&) noexcept;
  ~ClassicParser();

  /// `body` must be followed by limits::kFramePaddingBytes readable bytes.
  /// Errors: kInvalidArgument; the text is for the caller, at most limits::kDetailBytes of UTF-8 without
  /// control characters: "inputs[0] 'x': 4 numbers expected, 3 given".
  Result<ClassicRequest> parse(ByteView body, AcceptedFiles accepted);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A body that came compressed, with limits::kFramePaddingBytes behind it.
struct InflatedBody {
  Bytes storage;
  std::size_t size_bytes = 0;
  ByteView view() const { return {storage.data(), size_bytes}; }
};

/// Unpacks a gzip body. Errors: kInvalidArgument (damaged), kTooLarge (more than `limit_bytes` unpacked).
Result<InflatedBody> inflate_gzip(ByteView compressed, std::size_t limit_bytes);

/// The answer's bytes: {"version":"…","outputs":[{"name":"y","data":"0.5, 1.0"}]}. `names` has one entry an
/// output. Errors: kTooLarge past limits::kAnswerBytes.
Result<std::string> format_answer(std::string_view version, std::span<const std::string> names,
                                  std::span<const Tensor> outputs);

}  // namespace noren::worker
