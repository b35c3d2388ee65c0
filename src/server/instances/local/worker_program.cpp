// Whether the worker program that was named is the one that belongs to this server: it is started and must
// greet. What goes wrong here ends the server's start, or an inspection without one; the same later is a lost
// zygote, which comes back.
#include <filesystem>
#include <memory>

#include <poll.h>
#include <unistd.h>

#include "base/limits.h"
#include "link/build.h"
#include "link/channel.h"
#include "link/messages.h"
#include "server/instances/local/zygote_process.h"

namespace noren::server {
namespace {

Error refused(const std::string& path, const std::string& why) {
  return make_error(Code::kInvalidArgument, "the worker program '" + path + "' " + why +
                                                ": noren-worker of this very build is needed, beside noren "
                                                "or named by --worker");
}

/// What the program says first. The error's text is what it did instead.
Result<link::Frame> first_frame(int control, link::FrameReader& reader, std::int64_t limit_ms) {
  const MonotonicNs deadline_ns = system_clock().monotonic_ns() + limit_ms * 1'000'000;
  while (true) {
    auto frame = reader.next();
    if (!frame.ok()) return make_error(Code::kCorrupt, "does not speak as a worker does");
    if (frame->has_value()) return std::move(**frame);
    const std::int64_t left_ms = (deadline_ns - system_clock().monotonic_ns()) / 1'000'000;
    pollfd socket{control, POLLIN, 0};
    if (left_ms <= 0 || ::poll(&socket, 1, static_cast<int>(left_ms)) == 0)
      return make_error(Code::kDeadlineExceeded,
                        "has said nothing within " + std::to_string(limit_ms) + " ms");
    const auto received = link::receive(control, reader, link::Wait::kNever, link::Descriptors::kRefuse);
    if (!received.ok() || *received == link::Received::kEnd)
      return make_error(Code::kUnavailable, "ended without a greeting");
  }
}

}  // namespace

Status check_greeting(ByteView payload) {
  const auto hello = link::decode<link::HelloReport>(payload);
  if (!hello.ok()) return make_error(Code::kCorrupt, "is of another build");
  if (hello->build == link::build_name()) return Ok{};
  return make_error(Code::kCorrupt, "is of the build '" + hello->build.substr(0, limits::kNameBytes) +
                                        "', and this is '" + std::string(link::build_name()) + "'");
}

Result<std::shared_ptr<GreetedZygote>> start_worker_program(const LocalHostOptions& options) {
  ASSIGN_OR_RETURN(const std::string path, worker_path(options));
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return refused(path, "is not there");
  if (::access(path.c_str(), X_OK) != 0) return refused(path, "may not be executed");
  auto started = ZygoteProcess::start(options, DeviceKind::kCpu);
  if (!started.ok()) return refused(path, "can't be started (" + started.error().detail + ")");
  auto zygote = std::make_shared<GreetedZygote>();
  zygote->process = std::move(*started);
  link::FrameReader reader(kControlPayloadBytes);
  const auto frame = first_frame(zygote->process.control(), reader, options.greeting_limit_ms);
  if (!frame.ok()) return refused(path, frame.error().text);
  const ByteView payload = reader.payload(*frame);
  if (frame->header.type == link::FrameType::kFailed)
    return make_error(Code::kUnavailable, "the worker program can't work on this machine: " +
                                              std::string(link::cut_detail(text_of(payload))));
  if (frame->header.type != link::FrameType::kHello) return refused(path, "does not speak as a worker does");
  const Status greeted = check_greeting(payload);
  if (!greeted.ok()) return refused(path, greeted.error().text);
  zygote->greeting.assign(payload.begin(), payload.end());
  return zygote;
}

}  // namespace noren::server
