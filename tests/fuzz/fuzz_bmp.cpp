#include "fuzz_picture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return noren::worker::fuzz_picture(data, size, noren::worker::decode_bmp);
}
