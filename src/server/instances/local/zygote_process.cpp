#include "server/instances/local/zygote_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace noren::server {
namespace {

// The zygote finds its end of the control socket here.
constexpr int kControlDescriptor = 3;

/// Nothing of the server's environment passes but what sanitizers want: it may hold secrets.
std::vector<std::string> environment() {
  std::vector<std::string> variables = {"ORT_DISABLE_TELEMETRY=1", "LANG=C.UTF-8"};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"})
    if (const char* value = std::getenv(name); value != nullptr)
      variables.push_back(std::string(name) + "=" + value);
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

struct Scheduling {
  int policy = SCHED_OTHER;
  sched_param parameters{};
};

/// As the server was started: the event loop changes its own while it refuses a flood, and a zygote that is
/// started meanwhile would hand that on to all its workers.
const Scheduling& scheduling_of_server() {
  static const Scheduling first = [] {
    Scheduling now;
    now.policy = ::sched_getscheduler(0);
    ::sched_getparam(0, &now.parameters);
    return now;
  }();
  return first;
}

class SpawnSettings {
 public:
  explicit SpawnSettings(int control) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, control, kControlDescriptor);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, kControlDescriptor + 1);
    ::posix_spawnattr_init(&attributes_);
    // A group of its own: Ctrl-C at the terminal reaches the server, which then decides about its workers. No
    // session of its own: Linux shares the cores between sessions first, and a worker's low priority would
    // not count beside the server.
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    const Scheduling& scheduling = scheduling_of_server();
    // Where it is the same nothing is asked of a host that may forbid it, and would have nothing start.
    if (::sched_getscheduler(0) != scheduling.policy) flags |= POSIX_SPAWN_SETSCHEDULER;
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    ::posix_spawnattr_setschedpolicy(&attributes_, scheduling.policy);
    ::posix_spawnattr_setschedparam(&attributes_, &scheduling.parameters);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<std::string> worker_path(const LocalHostOptions& options) {
  if (!options.worker_path.empty()) return options.worker_path;
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return internal("/proc/self/exe: " + error.message());
  return (self.parent_path() / "noren-worker").string();
}

Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error(Code::kUnavailable, "out of descriptors", "socketpair");
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<ZygoteProcess> ZygoteProcess::start(const LocalHostOptions& options, DeviceKind device) {
  ASSIGN_OR_RETURN(const std::string path, worker_path(options));
  ASSIGN_OR_RETURN(SocketPair pair, make_socket_pair());
  // dup2 onto itself would keep close-on-exec.
  if (pair.theirs.get() == kControlDescriptor)
    pair.theirs.reset(::fcntl(kControlDescriptor, F_DUPFD_CLOEXEC, 10));
  std::vector<std::string> arguments = {path, "--parent=" + std::to_string(::getpid())};
  if (options.worker_errors == LocalHostOptions::WorkerErrors::kKeep) arguments.emplace_back("--keep-stderr");
  std::vector<std::string> variables = environment();
  if (device == DeviceKind::kGpu) {
    arguments.emplace_back("--gpu");
    // Its ONNX Runtime comes before the one that the program was linked with.
    variables.push_back("LD_LIBRARY_PATH=" + options.gpu_runtime_folder);
  }
  const SpawnSettings settings(pair.theirs.get());
  ZygoteProcess process;
  const int problem = ::posix_spawn(&process.pid_, path.c_str(), settings.actions(), settings.attributes(),
                                    pointers(arguments).data(), pointers(variables).data());
  if (problem != 0) {
    process.pid_ = -1;
    errno = problem;
    return system_error(Code::kUnavailable, "noren-worker can't be started", path);
  }
  process.control_ = std::move(pair.ours);
  return process;
}

ZygoteProcess::ZygoteProcess(ZygoteProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), control_(std::move(other.control_)) {}

ZygoteProcess& ZygoteProcess::operator=(ZygoteProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(control_, other.control_);
  return *this;
}

ZygoteProcess::~ZygoteProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace noren::server
