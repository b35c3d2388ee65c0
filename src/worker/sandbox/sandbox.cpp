#include "worker/sandbox/sandbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

namespace noren::worker {
namespace {

constexpr unsigned kNobody = 65534;

Error closing_failed(const char* what) {
  return system_error(Code::kUnavailable, "the sandbox could not be closed", what);
}

/// A server that runs as root has workers that don't. Dropping may be forbidden (a container without the
/// capability to change users): then seccomp still refuses what root could do.
Status drop_privileges() {
  if (::geteuid() == 0 && ::setgroups(0, nullptr) == 0) {
    if (::setresgid(kNobody, kNobody, kNobody) != 0) return closing_failed("setresgid");
    if (::setresuid(kNobody, kNobody, kNobody) != 0) return closing_failed("setresuid");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return closing_failed("capset");
  return Ok{};
}

/// Changing users clears the parent-death signal, so it is set after that. The parent may have died before.
Status tie_to_parent(std::int32_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return closing_failed("PR_SET_PDEATHSIG");
  if (::getppid() != parent) return make_error(Code::kUnavailable, "the zygote is gone");
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return closing_failed("PR_SET_DUMPABLE");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return closing_failed("PR_SET_NO_NEW_PRIVS");
  return Ok{};
}

Status limit(__rlimit_resource resource, std::int64_t value) {
  rlimit current{};
  if (::getrlimit(resource, &current) != 0) return closing_failed("getrlimit");
  const rlim_t bound = std::min(static_cast<rlim_t>(value), current.rlim_max);
  const rlimit wanted{bound, bound};
  if (::setrlimit(resource, &wanted) != 0) return closing_failed("setrlimit");
  return Ok{};
}

Status limit_memory(const link::ForkRequest& bounds, int statm) {
  if (bounds.memory_limit_bytes <= 0) return Ok{};
  ASSIGN_OR_RETURN(const MemoryUse use, read_memory_use(statm));
  TRY(limit(RLIMIT_DATA, use.data_bytes + bounds.memory_limit_bytes));
  // Address space costs page tables even where nothing is written; models and bodies are mapped on top of the
  // limit.
  return limit(RLIMIT_AS, use.address_bytes + bounds.memory_limit_bytes + limits::kWorkerAddressSlackBytes);
}

Status set_limits(const link::ForkRequest& bounds, SeccompProfile profile, int statm) {
  TRY(limit(RLIMIT_CORE, 0));
  // A driver pins memory and reserves addresses for all that the device could map.
  const bool on_gpu = profile == SeccompProfile::kGpu;
  if (!on_gpu) TRY(limit(RLIMIT_MEMLOCK, 0));
  TRY(limit(RLIMIT_MSGQUEUE, 0));
  TRY(limit(RLIMIT_FSIZE, bounds.file_limit_bytes));
  TRY(limit(RLIMIT_NOFILE, limits::kWorkerDescriptorsCount));
  if (bounds.cpu_limit_s > 0) TRY(limit(RLIMIT_CPU, bounds.cpu_limit_s));
  // A limit on processes counts all of the user's, so only "none at all" can be said.
  if (bounds.threads_count <= 1 && !on_gpu) TRY(limit(RLIMIT_NPROC, 0));
  // A sanitizer reserves terabytes for its shadow.
  if (profile == SeccompProfile::kRelease) TRY(limit_memory(bounds, statm));
  return Ok{};
}

/// The driver's libraries, what it asks the system about, and the devices: read and used, never written to.
Status open_to_gpu(const Landlock& landlock) {
  for (const char* path : {"/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/nvidia", "/proc", "/sys"})
    TRY(landlock.allow_reading(path));
  if (const char* runtime = std::getenv("LD_LIBRARY_PATH"); runtime != nullptr)
    TRY(landlock.allow_reading(runtime));
  constexpr int kDevicesCount = 64;
  for (int i = 0; i < kDevicesCount; ++i) TRY(landlock.allow_device("/dev/nvidia" + std::to_string(i)));
  for (const char* path : {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
                           "/dev/nvidia-modeset", "/dev/null", "/dev/zero", "/dev/urandom"})
    TRY(landlock.allow_device(path));
  return Ok{};
}

}  // namespace

Result<MemoryUse> read_memory_use(int statm) {
  std::array<char, 256> text{};
  const ssize_t size = ::pread(statm, text.data(), text.size() - 1, 0);
  if (size <= 0) return system_error(Code::kUnavailable, "memory use is unknown", "read statm");
  std::array<std::int64_t, 7> pages{};
  const char* from = text.data();
  const char* const end = from + size;
  for (std::int64_t& field : pages) {
    const auto [next, problem] = std::from_chars(from, end, field);
    if (problem != std::errc()) return internal("statm has another form");
    from = std::min(next + 1, end);
  }
  const std::int64_t page_bytes = ::sysconf(_SC_PAGESIZE);
  return MemoryUse{pages[0] * page_bytes, pages[1] * page_bytes, pages[2] * page_bytes,
                   pages[5] * page_bytes};
}

Result<Sandbox> Sandbox::prepare(WorkerDevice device) {
  Sandbox sandbox;
  sandbox.profile_ = built_in_profile(device);
  ASSIGN_OR_RETURN(sandbox.one_thread_, SeccompFilter::compile(sandbox.profile_, Threads::kOne));
  ASSIGN_OR_RETURN(sandbox.many_threads_, SeccompFilter::compile(sandbox.profile_, Threads::kMany));
  if (sandbox.profile_ != SeccompProfile::kSanitizer) sandbox.landlock_ = Landlock::open();
  if (device == WorkerDevice::kGpu) TRY(open_to_gpu(sandbox.landlock_));
  return sandbox;
}

Status Sandbox::enter(const link::ForkRequest& bounds, std::int32_t parent, int statm) const {
  TRY(set_limits(bounds, profile_, statm));
  TRY(drop_privileges());
  TRY(tie_to_parent(parent));
  TRY(landlock_.enter());
  const bool many = bounds.threads_count > 1 || profile_ == SeccompProfile::kGpu;
  return (many ? many_threads_ : one_thread_).load(::getpid());
}

std::string Sandbox::notes() const {
  if (profile_ == SeccompProfile::kSanitizer)
    return "This is a sanitizer build: its sandbox is wider and not for use.";
  if (profile_ == SeccompProfile::kGpu)
    return "Workers on a GPU have lower walls: for models that the operator trusts.";
  if (landlock_.abi == 0)
    return "This kernel has no Landlock: workers have one wall (seccomp) instead of two.";
  return {};
}

}  // namespace noren::worker
