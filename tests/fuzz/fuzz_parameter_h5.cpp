// parameter.h5. Findings in HDF5 itself are expected: the library is not made for hostile files, and what it
// does to a worker ends with the worker.
#include "base/check.h"
#include "worker/model_file/nnp/parameter_h5.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren::worker::nnp;  // NOLINT: what this file is about
  ParameterTable table({"Affine/affine/W", "Affine/affine/b", "W"});
  const noren::Status status = read_parameter_h5(noren::ByteView(data, size), "parameter.h5", table);
  CHECK(status.ok() || !status.error().text.empty());
  return 0;
}
