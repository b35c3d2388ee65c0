#include "worker/sandbox/seccomp_profile.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace noren::worker {
namespace {

// Stands in the compiled filter for the process id, which only the child knows.
constexpr std::uint32_t kOwnPidPlaceholder = 0x4E4F5245;

// What a thread of glibc is made with. clone3 hides its flags in memory, so it answers ENOSYS and glibc falls
// back.
constexpr std::uint64_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |
                                       CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                       CLONE_CHILD_CLEARTID;

// Memory, time, waiting, and the descriptors that the worker was given. Nothing here names a file or a
// process.
constexpr const char* kAllowed[] = {
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "read",
    "pread64",
    "readv",
    "write",
    "pwrite64",
    "writev",
    "lseek",
    "close",
    "close_range",
    "fstat",
    "ftruncate",
    "recvmsg",
    "recvfrom",
    "poll",
    "ppoll",
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "setitimer",
    "getrusage",
    "times",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "restart_syscall",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrlimit",
    "sysinfo",
    "getrandom",
    "exit",
    "exit_group",
};

// Libraries ask for files at unexpected moments (the C library counts cores in /sys, decoders look for a time
// zone) and go on without an answer. So these are refused, and the worker lives.
constexpr const char* kRefused[] = {
    "open",    "openat",    "openat2",    "creat",    "stat",       "lstat",         "newfstatat", "statx",
    "access",  "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd",        "chdir",      "mkdir",
    "mkdirat", "rmdir",     "unlink",     "unlinkat", "rename",     "renameat",      "renameat2",  "link",
    "linkat",  "symlink",   "symlinkat",  "chmod",    "fchmod",     "fchmodat",      "chown",      "lchown",
    "fchown",  "fchownat",  "truncate",   "statfs",   "utimensat",  "inotify_init1", "getdents64",
};

// No library does these by accident: who tries has taken the worker over, and is stopped at the first try.
constexpr const char* kKilled[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "kill",
    "tkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "sendmsg",
    "sendmmsg",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "seccomp",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "open_by_handle_at",
    "name_to_handle_at",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "reboot",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "personality",
    "modify_ldt",
    "iopl",
    "ioperm",
    "remap_file_pages",
    "shmget",
    "shmat",
    "mq_open",
    "memfd_create",
    "memfd_secret",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "mknod",
    "mknodat",
};

// A sanitizer's own needs are many and change (a GPU driver's too, which gets kKilled): there everything is
// allowed but these.
constexpr const char* kKilledBySanitizerProfile[] = {
    "execve",      "execveat",     "fork",
    "vfork",       "ptrace",       "process_vm_writev",
    "kill",        "tkill",        "pidfd_send_signal",
    "socket",      "socketpair",   "connect",
    "bind",        "sendmsg",      "bpf",
    "mount",       "unshare",      "setns",
    "personality", "memfd_create",
};

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};

class Builder {
 public:
  explicit Builder(std::uint32_t default_action) : filter_(seccomp_init(default_action)) {
    if (filter_ == nullptr) error_ = ENOMEM;
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree: system calls are many
  }

  void rule(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    // A name that this machine or library does not have falls under the default action, which allows nothing
    // new.
    if (number == __NR_SCMP_ERROR || error_ != 0) return;
    const std::vector<scmp_arg_cmp> list(conditions);
    const int result =
        seccomp_rule_add_array(filter_.get(), action, number, static_cast<unsigned>(list.size()),
                               list.empty() ? nullptr : list.data());
    if (result != 0 && result != -EDOM) error_ = -result;
  }
  void rules(std::uint32_t action, std::span<const char* const> names) {
    for (const char* name : names) rule(action, name);
  }

  Result<std::vector<sock_filter>> compile() {
    ASSIGN_OR_RETURN(const UniqueFd file, create_memfd("seccomp"));
    if (error_ == 0) error_ = -seccomp_export_bpf(filter_.get(), file.get());
    if (error_ != 0) {
      errno = error_;
      return system_error(Code::kUnavailable, "the sandbox's filter could not be built", "libseccomp");
    }
    ASSIGN_OR_RETURN(const std::uint64_t size, size_of(file.get()));
    std::vector<sock_filter> program(size / sizeof(sock_filter));
    if (::pread(file.get(), program.data(), size, 0) != static_cast<ssize_t>(size))
      return system_error(Code::kUnavailable, "the sandbox's filter could not be read", "pread");
    return program;
  }

 private:
  void set(scmp_filter_attr attribute, std::uint32_t value) {
    if (error_ == 0) error_ = -seccomp_attr_set(filter_.get(), attribute, value);
  }
  std::unique_ptr<void, ReleaseFilter> filter_;
  int error_ = 0;
};

/// Processes are never made; threads only where the instance has more than one. clone3 has the default
/// answer.
void add_clone_rules(Builder& builder, Threads threads) {
  if (threads == Threads::kMany) {
    builder.rule(SCMP_ACT_ALLOW, "clone", {SCMP_A0(SCMP_CMP_EQ, kThreadFlags)});
    builder.rule(SCMP_ACT_KILL_PROCESS, "clone", {SCMP_A0(SCMP_CMP_NE, kThreadFlags)});
  } else {
    builder.rule(SCMP_ACT_KILL_PROCESS, "clone", {SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)});
    builder.rule(SCMP_ACT_ERRNO(EAGAIN), "clone",
                 {SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)});
  }
}

/// abort() sends itself a signal; nobody else gets one.
void add_signal_rules(Builder& builder) {
  builder.rule(SCMP_ACT_ALLOW, "tgkill", {SCMP_A0(SCMP_CMP_EQ, kOwnPidPlaceholder)});
  builder.rule(SCMP_ACT_KILL_PROCESS, "tgkill", {SCMP_A0(SCMP_CMP_NE, kOwnPidPlaceholder)});
}

/// No executable page ever. Shared and grows-down mappings are refused because RLIMIT_DATA does not count
/// them.
void add_memory_rules(Builder& builder) {
  constexpr std::uint64_t kUncounted = MAP_SHARED | MAP_GROWSDOWN;
  builder.rule(SCMP_ACT_ALLOW, "mmap",
               {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0), SCMP_A3_64(SCMP_CMP_MASKED_EQ, kUncounted, 0)});
  builder.rule(SCMP_ACT_KILL_PROCESS, "mmap", {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)});
  builder.rule(SCMP_ACT_ALLOW, "mprotect", {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
  builder.rule(SCMP_ACT_KILL_PROCESS, "mprotect", {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)});
}

/// Calls with many uses, of which a few are harmless.
void add_narrow_rules(Builder& builder) {
  // Its own priority, which it can only lower.
  builder.rule(SCMP_ACT_ALLOW, "setpriority", {SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS), SCMP_A1(SCMP_CMP_EQ, 0)});
  builder.rule(SCMP_ACT_ALLOW, "sched_setscheduler",
               {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A1(SCMP_CMP_EQ, SCHED_IDLE)});
  builder.rule(SCMP_ACT_ALLOW, "sendto", {SCMP_A4_64(SCMP_CMP_EQ, 0)});  // to nowhere but its own peer
  builder.rule(SCMP_ACT_ALLOW, "prctl", {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)});
  builder.rule(SCMP_ACT_ERRNO(EPERM), "prctl", {SCMP_A0(SCMP_CMP_NE, PR_SET_NAME)});
  for (const int command : {F_GETFD, F_GETFL, 1034 /* F_GET_SEALS */})
    builder.rule(SCMP_ACT_ALLOW, "fcntl", {SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))});
  builder.rule(SCMP_ACT_ERRNO(ENOTTY), "ioctl");
  builder.rule(SCMP_ACT_ALLOW, "prlimit64",
               {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2_64(SCMP_CMP_EQ, 0)});  // reads its own
}

/// Where the server was started from a terminal, its workers share it: none of them types there. The kernel
/// looks at the lower half of a request's number only, so the upper one hides nothing.
void add_terminal_rules(Builder& builder) {
  for (const scmp_datum_t request : {TIOCSTI, TIOCLINUX})
    builder.rule(SCMP_ACT_ERRNO(EPERM), "ioctl", {SCMP_A1_64(SCMP_CMP_MASKED_EQ, 0xFFFF'FFFF, request)});
}

}  // namespace

SeccompProfile built_in_profile(WorkerDevice device) {
#ifdef NOREN_SANITIZED
  static_cast<void>(device);
  return SeccompProfile::kSanitizer;
#else
  return device == WorkerDevice::kGpu ? SeccompProfile::kGpu : SeccompProfile::kRelease;
#endif
}

std::string_view seccomp_profile_name(SeccompProfile profile) {
  constexpr std::string_view kNames[] = {"release", "gpu", "sanitizer"};
  return kNames[static_cast<int>(profile)];
}

Result<SeccompFilter> SeccompFilter::compile(SeccompProfile profile, Threads threads) {
  const bool release = profile == SeccompProfile::kRelease;
  // ENOSYS is the default answer because it is what libraries know how to live with.
  Builder builder(release ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW);
  if (release) {
    builder.rules(SCMP_ACT_ALLOW, kAllowed);
    builder.rules(SCMP_ACT_ERRNO(EACCES), kRefused);
    builder.rules(SCMP_ACT_KILL_PROCESS, kKilled);
    add_clone_rules(builder, threads);
    add_memory_rules(builder);
    add_narrow_rules(builder);
    add_signal_rules(builder);
  } else {
    add_terminal_rules(builder);
    if (profile == SeccompProfile::kGpu)
      builder.rules(SCMP_ACT_KILL_PROCESS, kKilled);
    else
      builder.rules(SCMP_ACT_KILL_PROCESS, kKilledBySanitizerProfile);
    builder.rule(SCMP_ACT_ERRNO(ENOSYS), "clone3");
    builder.rule(SCMP_ACT_KILL_PROCESS, "tgkill", {SCMP_A0(SCMP_CMP_NE, kOwnPidPlaceholder)});
    builder.rule(SCMP_ACT_KILL_PROCESS, "clone", {SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)});
  }
  SeccompFilter filter;
  ASSIGN_OR_RETURN(filter.program_, builder.compile());
  const auto is_placeholder = [](const sock_filter& step) { return step.k == kOwnPidPlaceholder; };
  if (std::ranges::none_of(filter.program_, is_placeholder))
    return internal("the filter lost its process id");
  return filter;
}

Status SeccompFilter::load(std::int32_t own_pid) const {
  std::vector<sock_filter> program = program_;
  for (sock_filter& step : program)
    if (step.k == kOwnPidPlaceholder) step.k = static_cast<std::uint32_t>(own_pid);
  const sock_fprog description{static_cast<unsigned short>(program.size()), program.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &description) != 0)
    return system_error(Code::kUnavailable, "the sandbox could not be closed", "seccomp");
  return Ok{};
}

}  // namespace noren::worker
