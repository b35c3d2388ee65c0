// A whole .nnp: archive, network text, loops, parameters, statistics.
#include "base/check.h"
#include "worker/model_file/nnp/nnp.h"
#include "worker/model_file/statistics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = noren::worker::read_nnp(noren::ByteView(data, size));
  if (!file.ok()) {
    CHECK(!file.error().text.empty());
    CHECK(file.error().code != noren::Code::kInternal);
    return 0;
  }
  for (const auto& executor : file->executors) {
    static_cast<void>(noren::worker::network_statistics(executor, nullptr));
    for (const auto& function : executor.network.functions) {
      for (const std::string& name : function.inputs) CHECK(executor.network.variables.contains(name));
      for (const std::string& name : function.outputs) CHECK(executor.network.variables.contains(name));
    }
  }
  return 0;
}
