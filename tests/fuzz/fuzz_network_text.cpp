// The network text of an .nnp without its archive: parsing, loops, executors, statistics.
#include "base/check.h"
#include "worker/model_file/nnp/executors.h"
#include "worker/model_file/nnp/network_text.h"
#include "worker/model_file/statistics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto model = noren::worker::nnp::parse_network_texts({{"network.nntxt", text}});
  if (!model.ok()) {
    CHECK(!model.error().text.empty());
    return 0;
  }
  const auto executors = noren::worker::nnp::resolve_executors(*model);
  if (!executors.ok()) {
    CHECK(!executors.error().text.empty());
    return 0;
  }
  for (const auto& executor : *executors) {
    static_cast<void>(noren::worker::network_statistics(executor, nullptr));
    static_cast<void>(noren::worker::used_parameter_scalars(executor));
  }
  return 0;
}
