#include "worker/sandbox/zygote.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "link/build.h"
#include "link/channel.h"
#include "worker/sandbox/heap.h"
#include "worker/sandbox/lower_priority.h"
#include "worker/sandbox/process_state.h"
#include "worker/sandbox/sandbox.h"

namespace noren::worker {
namespace {

// Exit statuses of a child that never began.
constexpr int kSandboxFailed = 60;
constexpr int kTrialSurvived = 61;

constexpr std::size_t kControlPayloadBytes = 64 * limits::kKiB;

void close_descriptors_above(int last_kept) {
  ::syscall(SYS_close_range, static_cast<unsigned>(last_kept) + 1, ~0U, 0);
}

/// Closes everything but stdin, stdout, stderr and these.
void keep_only(std::array<int, 3> kept) {
  std::ranges::sort(kept);
  int last = STDERR_FILENO;
  for (const int descriptor : kept) {
    if (descriptor <= last) continue;
    if (descriptor > last + 1)
      ::syscall(SYS_close_range, static_cast<unsigned>(last) + 1, static_cast<unsigned>(descriptor) - 1, 0);
    last = descriptor;
  }
  close_descriptors_above(last);
}

void child_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a lost server is an error to be seen, and so is a full memfd
  ::signal(SIGXFSZ, SIG_IGN);
}

class Zygote {
 public:
  Zygote(const ZygoteArguments& arguments, const ZygoteOptions& options)
      : arguments_(arguments), options_(options), reader_(kControlPayloadBytes) {}

  Status prepare();
  int loop();

 private:
  Status try_sandbox();
  void say_hello(MonotonicNs started_ns);
  Status handle_frames();
  void fork_child(link::Frame frame);
  [[noreturn]] void become_child(const link::ForkRequest& request, UniqueFd socket);
  void reap_children();
  bool flush();

  const ZygoteArguments arguments_;
  const ZygoteOptions& options_;
  Sandbox sandbox_;
  UniqueFd signals_;
  link::FrameReader reader_;
  link::FrameWriter writer_;
  std::unordered_map<pid_t, std::uint64_t> children_;
  const pid_t own_pid_ = ::getpid();
};

Status Zygote::prepare() {
  const MonotonicNs started_ns = system_clock().monotonic_ns();
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    return system_error(Code::kInternal, "no parent-death signal", "prctl");
  if (::getppid() != arguments_.parent) return make_error(Code::kUnavailable, "the server is gone");
  if (::fcntl(kControlDescriptor, F_SETFD, FD_CLOEXEC) != 0)
    return system_error(Code::kInvalidArgument, "there is no control socket", "fcntl");
  close_descriptors_above(kControlDescriptor);
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing.valid()) return system_error(Code::kUnavailable, "/dev/null can't be opened", "open");
  if (::dup2(nothing.get(), STDIN_FILENO) < 0 || ::dup2(nothing.get(), STDOUT_FILENO) < 0)
    return system_error(Code::kInternal, "internal error", "dup2");
  tune_heap();
  for (const WarmUp& warm_up : options_.warm_ups) {
    const Status done = warm_up.run();
    if (!done.ok())
      return make_error(done.error().code, warm_up.name + ": " + done.error().text, done.error().detail);
  }
  const std::array<int, 5> expected = {0, 1, 2, kControlDescriptor, nothing.get()};
  TRY(check_alone(expected));
  ASSIGN_OR_RETURN(sandbox_, Sandbox::prepare(arguments_.device));
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  signals_.reset(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return system_error(Code::kUnavailable, "internal error", "signalfd");
  TRY(try_sandbox());
  fill_heap_holes();
  join_heap_pages();
  say_hello(started_ns);
  return Ok{};
}

/// Before anything is served, a child shows that the wall stands: asking for a socket must end it.
Status Zygote::try_sandbox() {
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(Code::kUnavailable, "no process can be made", "fork");
  if (pid == 0) {
    child_signals();
    const UniqueFd statm(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
    link::ForkRequest bounds;
    bounds.memory_limit_bytes = static_cast<std::int64_t>(limits::kGiB);
    const Status entered = sandbox_.enter(bounds, own_pid_, statm.get());
    if (!entered.ok()) {
      log(LogLevel::kError, "sandbox", {{"problem", describe(entered.error())}});
      ::_exit(kSandboxFailed);
    }
    ::syscall(SYS_socket, 1, 1, 0);
    ::_exit(kTrialSurvived);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return Ok{};
  return make_error(Code::kUnavailable, "the sandbox does not hold on this machine, so nothing is started",
                    "trial child ended with status " + std::to_string(status));
}

void Zygote::say_hello(MonotonicNs started_ns) {
  link::HelloReport hello;
  hello.warm_up_ns = system_clock().monotonic_ns() - started_ns;
  hello.landlock_abi = sandbox_.landlock_abi();
  hello.profile = seccomp_profile_name(sandbox_.profile());
  hello.notes = sandbox_.notes();
  hello.build = link::build_name();
  writer_.add({.type = link::FrameType::kHello}, link::encode(hello));
}

int Zygote::loop() {
  std::array<pollfd, 2> watched = {pollfd{kControlDescriptor, POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
  while (true) {
    if (!flush()) return 0;
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return 1;
    if (watched[1].revents != 0) reap_children();
    if (watched[0].revents == 0) continue;
    const auto received =
        link::receive(kControlDescriptor, reader_, link::Wait::kNever, link::Descriptors::kAccept);
    if (!received.ok() || *received == link::Received::kEnd) return 0;
    const Status handled = handle_frames();
    if (!handled.ok()) {
      log(LogLevel::kError, "zygote", {{"problem", describe(handled.error())}});
      return 1;
    }
  }
}

bool Zygote::flush() {
  const auto sent = link::send(kControlDescriptor, writer_, link::Wait::kBlock);
  return sent.ok() && *sent == link::Sent::kAll;
}

Status Zygote::handle_frames() {
  while (true) {
    ASSIGN_OR_RETURN(auto frame, reader_.next());
    if (!frame.has_value()) break;
    if (frame->header.type != link::FrameType::kFork || !frame->descriptor.valid())
      return make_error(Code::kCorrupt, "the server said something unexpected");
    fork_child(std::move(*frame));
  }
  reader_.release_taken();
  return Ok{};
}

void Zygote::fork_child(link::Frame frame) {
  const std::uint64_t id = frame.header.id;
  const auto request = link::decode<link::ForkRequest>(reader_.payload(frame));
  if (!request.ok()) {
    writer_.add({.type = link::FrameType::kForkFailed, .id = id}, bytes_of("broken request"));
    return;
  }
  const pid_t pid = ::fork();
  if (pid == 0) become_child(*request, std::move(frame.descriptor));
  if (pid < 0) {
    writer_.add({.type = link::FrameType::kForkFailed, .id = id}, bytes_of(std::strerror(errno)));
    return;
  }
  children_.emplace(pid, id);
  // The child is not reaped yet, so the number can't belong to another process.
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const link::FrameHeader header{
      .type = link::FrameType::kForked, .id = id, .count = static_cast<std::uint32_t>(pid)};
  if (handle.valid())
    writer_.add(header, {}, std::move(handle));
  else
    ::kill(pid, SIGKILL);  // out of descriptors: kExited tells the server
}

void Zygote::become_child(const link::ForkRequest& request, UniqueFd socket) {
  lower_priority(request.priority);
  populate_heap();
  child_signals();
  if (arguments_.child_errors == ChildErrors::kDiscard) ::dup2(STDOUT_FILENO, STDERR_FILENO);
  Child child;
  child.role = request.role;
  child.socket = std::move(socket);
  child.smaps_rollup.reset(::open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC));
  child.statm.reset(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  const Status entered = sandbox_.enter(request, own_pid_, child.statm.get());
  if (!entered.ok()) {
    log(LogLevel::kError, "sandbox", {{"problem", describe(entered.error())}});
    ::_exit(kSandboxFailed);
  }
  // The zygote's descriptors, among them other children's sockets that wait in the reader, are not for this
  // one.
  keep_only({child.socket.get(), child.statm.get(), child.smaps_rollup.get()});
  ::_exit(options_.child(std::move(child)));
}

void Zygote::reap_children() {
  signalfd_siginfo ignored{};
  while (::read(signals_.get(), &ignored, sizeof ignored) > 0) {
  }
  int status = 0;
  while (true) {
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    const auto child = children_.find(pid);
    if (child == children_.end()) continue;
    link::FrameHeader header{.type = link::FrameType::kExited, .id = child->second};
    if (WIFSIGNALED(status))
      header.count = static_cast<std::uint32_t>(WTERMSIG(status));
    else
      header.code = static_cast<std::uint32_t>(WEXITSTATUS(status));
    writer_.add(header);
    children_.erase(child);
  }
}

}  // namespace

Result<ZygoteArguments> parse_zygote_arguments(int count, const char* const* arguments) {
  ZygoteArguments parsed;
  for (int index = 1; index < count; ++index) {
    const std::string_view argument(arguments[index]);
    constexpr std::string_view kParent = "--parent=";
    if (argument.starts_with(kParent))
      std::from_chars(argument.data() + kParent.size(), argument.data() + argument.size(), parsed.parent);
    else if (argument == "--gpu")
      parsed.device = WorkerDevice::kGpu;
    else if (argument == "--keep-stderr")
      parsed.child_errors = ChildErrors::kKeep;
    else
      return invalid("unknown argument '" + std::string(argument) + "'");
  }
  if (parsed.parent <= 0) return invalid("noren-worker is started by noren; it does nothing by itself");
  return parsed;
}

int run_zygote(const ZygoteArguments& arguments, const ZygoteOptions& options) {
  Zygote zygote(arguments, options);
  const Status prepared = zygote.prepare();
  if (prepared.ok()) return zygote.loop();
  link::FrameWriter writer;
  const link::FrameHeader header{.type = link::FrameType::kFailed,
                                 .code = static_cast<std::uint32_t>(prepared.error().code)};
  writer.add(header, bytes_of(link::cut_detail(describe(prepared.error()))));
  static_cast<void>(link::send(kControlDescriptor, writer, link::Wait::kBlock).ok());
  return 1;
}

}  // namespace noren::worker
