// A whole import, as a throw-away worker does it: reading, translation, ONNX Runtime, a trial run. The first
// byte says which kind of file it is. Findings in ONNX Runtime end a worker, nothing else.
#include "base/check.h"
#include "base/limits.h"
#include "fuzz_input.h"
#include "worker/engine/engine.h"
#include "worker/import/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren;
  static const bool is_warm = worker::warm_up_engine().ok();
  CHECK(is_warm);
  FuzzInput input(data, size);
  worker::ImportOptions options;
  options.file_name = input.byte() % 2 == 0 ? "file.nnp" : "file.onnx";
  options.layers = worker::ImportOptions::Layers::kListed;
  try {
    const auto imported = worker::import_model(bytes_of(input.rest()), options);
    CHECK(imported.ok() || !imported.error().text.empty());
  } catch (const std::bad_alloc&) {  // the loop of the worker says so
  }
  return 0;
}
