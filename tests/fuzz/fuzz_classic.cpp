#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/limits.h"
#include "worker/protocol/classic/classic.h"

namespace noren::worker {
namespace {

InputSignature input_of(const char* name, Shape shape, ElementType type) {
  InputSignature input;
  input.name = name;
  input.variable = std::string(name) + "_variable";
  input.shape = std::move(shape);
  input.type = type;
  return input;
}

/// Inputs of several kinds, two executors: the seeds' names are among them.
ModelSignature model() {
  ModelSignature signature;
  signature.executors.resize(2);
  signature.executors[0].name = "Executor";
  signature.executors[0].inputs = {input_of("x", {1, 4}, ElementType::kFloat32)};
  signature.executors[1].name = "Second";
  signature.executors[1].inputs = {input_of("x", {1, 1, 2, 2}, ElementType::kInt64),
                                   input_of("s", {1, -1}, ElementType::kString),
                                   input_of("h", {1, -1, 2}, ElementType::kFloat16)};
  return signature;
}

}  // namespace
}  // namespace noren::worker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren;
  static const worker::ModelSignature signature = worker::model();
  static worker::ClassicParser parser(signature);
  // A block of its own, so that a read behind the padding is seen.
  const std::unique_ptr<std::uint8_t[]> body(new std::uint8_t[size + limits::kFramePaddingBytes]);
  if (size > 0) std::memcpy(body.get(), data, size);
  std::memset(body.get() + size, 0xA5, limits::kFramePaddingBytes);
  const auto request = parser.parse({body.get(), size}, worker::AcceptedFiles::kAll);
  if (request.ok()) {
    for (const worker::Tensor& tensor : request->inputs) CHECK(tensor.count() >= 0);
    return 0;
  }
  const Error& error = request.error();
  CHECK(error.code == Code::kInvalidArgument);
  CHECK(!error.text.empty() && error.text.size() <= limits::kDetailBytes);
  for (const char c : error.text) CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  return 0;
}
