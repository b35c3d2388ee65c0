#include "link/channel.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace noren::link {
namespace {

constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * kDescriptorsPerWriteCount);

/// Takes the descriptors out of a received message. False where some did not fit.
bool take_descriptors(msghdr& message, FrameReader& reader) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t index = 0; index < count; ++index) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part) + index * sizeof(int), sizeof descriptor);
      reader.add_descriptor(UniqueFd(descriptor));
    }
  }
  return (message.msg_flags & MSG_CTRUNC) == 0;
}

ssize_t send_with_descriptors(int socket, const FrameWriter::Chunk& chunk, int flags) {
  iovec part{const_cast<std::uint8_t*>(chunk.bytes.data()), chunk.bytes.size()};
  alignas(cmsghdr) char control[kControlBytes] = {};
  const std::size_t size = sizeof(int) * chunk.descriptors_count;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(rights), chunk.descriptors.data(), size);
  return ::sendmsg(socket, &message, flags);
}

}  // namespace

Result<Received> receive(int socket, FrameReader& reader, Wait wait, Descriptors descriptors) {
  const std::span<std::uint8_t> room = reader.writable();
  iovec part{room.data(), room.size()};
  alignas(cmsghdr) char control[kControlBytes];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptors == Descriptors::kAccept) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
  }
  const int flags = MSG_CMSG_CLOEXEC | (wait == Wait::kNever ? MSG_DONTWAIT : 0);
  ssize_t count = 0;
  do count = ::recvmsg(socket, &message, flags);
  while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Received::kNothing;
    if (errno == ECONNRESET) return Received::kEnd;
    return system_error(Code::kUnavailable, "connection lost", "recvmsg");
  }
  if (descriptors == Descriptors::kAccept && !take_descriptors(message, reader))
    return broken_frame("descriptors were lost");
  if (count == 0) return Received::kEnd;
  reader.commit(static_cast<std::size_t>(count));
  return Received::kBytes;
}

Result<Sent> send(int socket, FrameWriter& writer, Wait wait) {
  const int flags = MSG_NOSIGNAL | (wait == Wait::kNever ? MSG_DONTWAIT : 0);
  while (!writer.empty()) {
    const FrameWriter::Chunk chunk = writer.chunk();
    // Without descriptors this is a plain send: all that a sandboxed worker may do.
    const ssize_t count = chunk.descriptors_count > 0
                              ? send_with_descriptors(socket, chunk, flags)
                              : ::send(socket, chunk.bytes.data(), chunk.bytes.size(), flags);
    if (count > 0) {
      writer.consume(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Sent::kPart;
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return Sent::kEnd;
    } else if (errno != EINTR) {
      return system_error(Code::kUnavailable, "connection lost", "sendmsg");
    }
  }
  return Sent::kAll;
}

}  // namespace noren::link
