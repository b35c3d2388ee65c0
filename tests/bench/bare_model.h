// What the bare program does with a request: JSON, base64, picture or sound, ONNX Runtime, JSON, in the
// fewest steps there are. No check that a public server needs; the bodies are ours. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace noren::bench {

enum class InputKind : std::uint8_t { kVector, kPng, kJpeg, kWav };

class BareModel {
 public:
  /// One input `x`, float, its first axis free; one output.
  BareModel(const std::string& onnx_file, InputKind kind);
  ~BareModel();
  /// The answer to a body, empty where it makes no sense. Good until the next call. `body` has a few bytes of
  /// room behind its end.
  const std::string& answer(std::string& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace noren::bench
