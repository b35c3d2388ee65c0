// What import reads of an .onnx before ONNX Runtime sees it.
#include "base/check.h"
#include "worker/model_file/onnx/onnx_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = noren::worker::read_onnx(noren::ByteView(data, size));
  CHECK(file.ok() || !file.error().text.empty());
  return 0;
}
