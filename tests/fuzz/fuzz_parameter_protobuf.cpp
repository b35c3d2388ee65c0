// parameter.protobuf, once with every parameter wanted that the seeds have and once with none.
#include "base/check.h"
#include "worker/model_file/nnp/parameter_protobuf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren::worker::nnp;  // NOLINT: what this file is about
  for (const bool wanted : {true, false}) {
    ParameterTable table(
        wanted ? std::set<std::string, std::less<>>{"Affine/affine/W", "Affine/affine/b", "W", ""}
               : std::set<std::string, std::less<>>{});
    const auto source = source_of(noren::ByteView(data, size));
    const noren::Status status = read_parameter_protobuf(*source, "parameter.protobuf", table);
    CHECK(status.ok() || !status.error().text.empty());
  }
  return 0;
}
