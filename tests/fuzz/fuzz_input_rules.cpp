// Rules for pictures (--input), given at publish or found in a model's metadata: one a line.
#include <cmath>

#include "base/check.h"
#include "worker/import/onnx_import.h"

namespace noren::worker {
namespace {

OnnxPort port(const char* name, Shape shape) {
  OnnxPort port;
  port.name = name;
  port.axis_names.resize(shape.size());
  port.axis_denotations.resize(shape.size());
  port.shape = std::move(shape);
  return port;
}

void check(const Result<OnnxSignature>& signature) {
  if (!signature.ok()) {
    CHECK(!signature.error().text.empty());
    CHECK(signature.error().code != Code::kInternal);
    return;
  }
  for (const InputSignature& input : signature->executor.inputs) {
    CHECK(input.image.scale.size() == input.image.offset.size() && input.image.scale.size() <= 4);
    for (const float scale : input.image.scale) CHECK(std::isfinite(scale));
    for (const float offset : input.image.offset) CHECK(std::isfinite(offset));
    CHECK(std::isfinite(input.sound.scale));
  }
}

}  // namespace
}  // namespace noren::worker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren::worker;
  OnnxFile file;
  file.inputs = {port("x", {-1, 3, 8, 8}), port("y", {1, 8, 8, 3})};
  file.outputs = {port("z", {-1, 2})};
  std::vector<std::string> rules = {""};
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\n')
      rules.emplace_back();
    else
      rules.back() += static_cast<char>(data[i]);
  }
  check(signature_of_onnx(file, rules));
  file.metadata["noren.input.x"] = rules.front();
  check(signature_of_onnx(file, {}));
  return 0;
}
