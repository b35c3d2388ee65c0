#include "base/check.h"
#include "worker/media/decoders.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The first byte says how many samples the input takes.
  if (size == 0) return 0;
  const auto samples = noren::worker::decode_wav({data + 1, size - 1}, data[0]);
  if (samples.ok()) CHECK(samples->size() == data[0]);
  return 0;
}
