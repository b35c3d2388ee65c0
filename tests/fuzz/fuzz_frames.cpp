// A stream of bytes into frames, as both halves cut it, and the payloads into structures. Whatever pieces the
// bytes arrive in, the frames are the same.
#include <cstring>

#include <fcntl.h>

#include "base/check.h"
#include "base/limits.h"
#include "fuzz_input.h"
#include "link/frame_buffers.h"
#include "link/messages.h"

namespace noren::link {
namespace {

constexpr std::size_t kPayloadLimitBytes = 16 * limits::kKiB;
constexpr int kDescriptorsCount = 3;

template <typename T>
void check_message(ByteView payload) {
  const auto message = decode<T>(payload);
  if (message.ok()) CHECK(std::ranges::equal(encode(*message), payload));
}

struct Taken {
  std::vector<std::uint64_t> positions;
  std::size_t descriptors_count = 0;
  bool is_broken = false;
  bool operator==(const Taken&) const = default;
};

void take_frames(FrameReader& reader, Taken& taken) {
  while (!taken.is_broken) {
    auto frame = reader.next();
    taken.is_broken = !frame.ok();
    if (!frame.ok() || !frame->has_value()) return;
    const ByteView payload = reader.payload(**frame);
    CHECK(payload.size() <= kPayloadLimitBytes);
    // Behind every payload there are bytes that a parser may read.
    volatile std::uint8_t sum = 0;
    for (std::size_t i = 0; i < payload.size() + limits::kFramePaddingBytes; ++i)
      sum = sum + payload.data()[i];
    check_message<ForkRequest>(payload);
    check_message<HelloReport>(payload);
    check_message<LoadRequest>(payload);
    check_message<LoadedReport>(payload);
    check_message<InspectRequest>(payload);
    CHECK(cut_detail(text_of(payload)).size() <= limits::kDetailBytes);
    CHECK((*frame)->descriptor.valid() == (((*frame)->header.flags & kHasDescriptor) != 0));
    taken.positions.push_back((*frame)->position);
    taken.descriptors_count += (*frame)->descriptor.valid() ? 1 : 0;
  }
}

Taken read_all(Pieces pieces, bool keep_payloads) {
  static const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  FrameReader reader(kPayloadLimitBytes);
  for (int i = 0; i < kDescriptorsCount; ++i)
    reader.add_descriptor(UniqueFd(::fcntl(nothing, F_DUPFD_CLOEXEC, 0)));
  Taken taken;
  while (!pieces.empty() && !taken.is_broken) {
    std::string_view piece = pieces.next();
    while (!piece.empty()) {
      const auto room = reader.writable();
      const std::size_t count = std::min(room.size(), piece.size());
      CHECK(count > 0);
      std::memcpy(room.data(), piece.data(), count);
      reader.commit(count);
      piece.remove_prefix(count);
    }
    take_frames(reader, taken);
    if (!keep_payloads) reader.release_taken();
  }
  return taken;
}

}  // namespace
}  // namespace noren::link

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren;
  FuzzInput input(data, size);
  const std::string_view sizes = input.take(input.byte() % 8);
  const std::string_view stream = input.rest();
  const link::Taken whole = link::read_all(Pieces({}, stream), true);
  CHECK(whole == link::read_all(Pieces(sizes, stream), false));
  return 0;
}
