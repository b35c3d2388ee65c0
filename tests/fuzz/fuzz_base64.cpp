#include <string>

#include "base/check.h"
#include "worker/protocol/classic/base64.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  noren::Bytes bytes;
  if (!noren::worker::decode_base64(text, bytes).ok()) return 0;
  CHECK(bytes.size() <= size);
  // White space between any two characters changes nothing, but inside an escape or a prefix.
  if (text.find('\\') != std::string::npos || text.find("data:") != std::string::npos) return 0;
  std::string spaced;
  for (const char c : text) (spaced += c) += ' ';
  noren::Bytes again;
  CHECK(noren::worker::decode_base64(spaced, again).ok() && again == bytes);
  return 0;
}
