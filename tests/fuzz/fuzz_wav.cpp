#include "base/check.h"
#include "worker/media/media.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The first byte says how many samples the input takes, its upper bits how they lie.
  if (size == 0) return 0;
  const std::int64_t length = data[0] & 31;
  noren::worker::MediaTarget target;
  target.shape = {(data[0] & 32) != 0 ? -1 : 1, length == 31 ? -1 : length};
  target.sound.layout = static_cast<noren::worker::SoundLayout>((data[0] >> 6) % 3);
  if (target.sound.layout == noren::worker::SoundLayout::kInterleaved) target.shape = {length};
  const auto samples =
      noren::worker::decode_media(noren::worker::MediaType::kWav, {data + 1, size - 1}, target);
  if (samples.ok() && length < 31 && target.shape[0] > 0) CHECK(samples->count() == length);
  return 0;
}
