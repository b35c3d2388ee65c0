// link/frame.h - Frames: what server, zygote and workers say to each other over a stream socket, as bytes.
// Written and read by both halves, each on its own thread. Knows no socket and opens nothing: channel.h moves
// the bytes. Every word that comes from the other side is checked here; what is not a frame is an error that
// ends the peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace noren::link {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 32;

enum class FrameType : std::uint8_t {
  // server → zygote
  kFork = 1,  ///< ForkRequest; descriptor: the child's socket
  // zygote → server
  kHello,       ///< HelloReport: warmed up, the sandbox was tried
  kForked,      ///< count: pid; descriptor: its pidfd
  kForkFailed,  ///< payload: why
  kExited,      ///< code: exit status; count: signal
  // server → worker
  kLoad,           ///< LoadRequest; descriptor: the package
  kInfer,          ///< payload or descriptor: the body; flags: what it is; count: its limit; time: deadline
  kCancel,         ///< drops the call with this id if it has not begun
  kDrain,          ///< answer what is queued, then exit
  kInspectOutput,  ///< descriptor: an empty memfd for the package; comes before kInspect
  kInspect,        ///< InspectRequest; descriptor: the file
  kProbe,
  // worker → server
  kLoaded,     ///< LoadedReport; time: how long it took
  kFailed,     ///< code: base Code; payload: one sentence. The worker exits
  kOutcome,    ///< code: outcome; count: batch size; time: duration; payload: answer or detail
  kMemory,     ///< time: private bytes
  kInspected,  ///< payload: the description
  kProbed,
};
inline constexpr auto kLastFrameType = FrameType::kProbed;

/// Bits of FrameHeader::flags. Unknown bits are an error.
inline constexpr std::uint16_t kHasDescriptor = 1;
inline constexpr std::uint16_t kGzip = 2;      ///< kInfer: the body is compressed
inline constexpr std::uint16_t kAllFiles = 4;  ///< kInfer: DICOM and sound are taken too
inline constexpr std::uint16_t kKnownFlags = kHasDescriptor | kGzip | kAllFiles;

/// In memory and, field by field in this order and little-endian, on the wire.
struct FrameHeader {
  FrameType type = FrameType::kHello;
  std::uint16_t flags = 0;
  std::uint32_t payload_bytes = 0;
  std::uint64_t id = 0;
  std::int64_t time_ns = 0;  ///< a deadline or a duration, as the type says
  std::uint32_t code = 0;
  std::uint32_t count = 0;
};

/// kCorrupt, for whatever a peer says that is no frame or not allowed there.
Error broken_frame(std::string_view what);

void encode_header(const FrameHeader& header, std::span<std::uint8_t, kHeaderBytes> out);
/// Errors: kCorrupt for another version, an unknown type or flag, or more payload than `payload_limit_bytes`.
Result<FrameHeader> decode_header(std::span<const std::uint8_t, kHeaderBytes> bytes,
                                  std::size_t payload_limit_bytes);

}  // namespace noren::link
