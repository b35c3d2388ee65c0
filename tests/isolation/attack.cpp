#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "toy.h"

namespace noren::worker {
namespace {

long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  return ::syscall(number, a, b, c, d, e, f);
}
long address_of(const void* pointer) { return reinterpret_cast<long>(pointer); }

constexpr long kPage = 4096;
constexpr long kReadWrite = PROT_READ | PROT_WRITE;

/// Takes memory without end in one way, and says how much there was; a machine without a limit would die of
/// it.
std::string flood(long protection, long flags) {
  long taken_mib = 0;
  constexpr long kStep = 64 << 20;
  while (taken_mib < 64 * 1024) {
    const long place = raw(SYS_mmap, 0, kStep, protection, flags, -1, 0);
    if (place < 0 && place > -kPage) break;
    for (long at = 0; at < kStep; at += kPage) *reinterpret_cast<volatile char*>(place + at) = 1;
    taken_mib += 64;
  }
  return "stopped after " + std::to_string(taken_mib) + " MiB";
}

std::string flood_descriptors() {
  int count = 0;
  while (count < 100'000 && ::dup(0) >= 0) ++count;
  return "stopped after " + std::to_string(count);
}

/// A process that shares nothing or all with this one, made in every way there is.
long clone_with(long flags) { return raw(SYS_clone, flags | SIGCHLD); }

using Try = long (*)();
const std::map<std::string_view, Try>& tries_on_others() {
  static char page[kPage];
  static const std::map<std::string_view, Try> table = {
      {"open", [] { return raw(SYS_open, address_of("/etc/passwd"), O_RDONLY); }},
      {"openat", [] { return raw(SYS_openat, AT_FDCWD, address_of("/etc/passwd"), O_RDONLY); }},
      {"create",
       [] { return raw(SYS_openat, AT_FDCWD, address_of("/tmp/noren-hostile"), O_CREAT | O_WRONLY, 0600); }},
      {"stat", [] { return raw(SYS_newfstatat, AT_FDCWD, address_of("/etc"), address_of(page), 0); }},
      {"unlink", [] { return raw(SYS_unlink, address_of("/tmp/noren-hostile")); }},
      {"socket", [] { return raw(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
      {"socket unix", [] { return raw(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }},
      {"connect", [] { return raw(SYS_connect, 3, address_of(page), 16); }},
      {"bind", [] { return raw(SYS_bind, 3, address_of(page), 16); }},
      {"sendmsg", [] { return raw(SYS_sendmsg, 3, address_of(page), 0); }},
      {"execve", [] { return raw(SYS_execve, address_of("/bin/true"), 0, 0); }},
      {"execveat", [] { return raw(SYS_execveat, AT_FDCWD, address_of("/bin/true"), 0, 0, 0); }},
      {"fork", [] { return raw(SYS_fork); }},
      {"vfork", [] { return raw(SYS_vfork); }},
      {"clone process", [] { return clone_with(0); }},
      {"clone vm", [] { return clone_with(CLONE_VM); }},
      {"clone user namespace", [] { return clone_with(CLONE_NEWUSER); }},
      {"clone3", [] { return raw(SYS_clone3, address_of(page), 88); }},
      {"ptrace", [] { return raw(SYS_ptrace, PTRACE_ATTACH, ::getppid()); }},
      {"read parent", [] { return raw(SYS_process_vm_readv, ::getppid(), 0, 0, 0, 0, 0); }},
      // Signal 0 asks whether one may send a signal and sends none: a wall with a hole must not end the
      // test's machine.
      {"kill parent", [] { return raw(SYS_kill, ::getppid(), 0); }},
      {"kill all", [] { return raw(SYS_kill, -1, 0); }},
      {"tkill parent", [] { return raw(SYS_tkill, ::getppid(), 0); }},
      {"tgkill parent", [] { return raw(SYS_tgkill, ::getppid(), ::getppid(), 0); }},
      {"pidfd", [] { return raw(SYS_pidfd_open, ::getppid(), 0); }},
  };
  return table;
}

const std::map<std::string_view, Try>& tries_on_itself() {
  static char page[kPage];
  static const std::map<std::string_view, Try> table = {
      {"map executable",
       [] { return raw(SYS_mmap, 0, kPage, kReadWrite | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1); }},
      {"make executable",
       [] {
         const long place = raw(SYS_mmap, 0, kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS, -1);
         return raw(SYS_mprotect, place, kPage, PROT_READ | PROT_EXEC);
       }},
      {"make executable with key",
       [] { return raw(SYS_pkey_mprotect, address_of(page), kPage, PROT_EXEC, -1); }},
      {"personality", [] { return raw(SYS_personality, 0x0400000); }},
      {"outlive parent", [] { return raw(SYS_prctl, PR_SET_PDEATHSIG, 0); }},
      {"be dumpable", [] { return raw(SYS_prctl, PR_SET_DUMPABLE, 1); }},
      {"regain privileges", [] { return raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0); }},
      {"raise priority", [] { return raw(SYS_setpriority, PRIO_PROCESS, 0, -5); }},
      {"real time", [] { return raw(SYS_sched_setscheduler, 0, SCHED_FIFO, address_of(page)); }},
      {"idle others", [] { return raw(SYS_sched_setscheduler, ::getppid(), SCHED_IDLE, address_of(page)); }},
      {"slow others", [] { return raw(SYS_setpriority, PRIO_PROCESS, ::getppid(), 19); }},
      {"slow all", [] { return raw(SYS_setpriority, PRIO_USER, 0, 19); }},
      {"undo seccomp", [] { return raw(SYS_prctl, PR_SET_SECCOMP, 0); }},
      {"become root", [] { return raw(SYS_setuid, 0); }},
      {"raise limit",
       [] {
         const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
         return raw(SYS_prlimit64, 0, RLIMIT_DATA, address_of(&none), 0);
       }},
      {"set limit", [] { return raw(SYS_setrlimit, RLIMIT_DATA, address_of(page)); }},
      {"unshare", [] { return raw(SYS_unshare, CLONE_NEWUSER); }},
      {"mount",
       [] { return raw(SYS_mount, address_of("none"), address_of("/tmp"), address_of("tmpfs"), 0, 0); }},
      {"bpf", [] { return raw(SYS_bpf, 0, address_of(page), 64); }},
      {"io_uring", [] { return raw(SYS_io_uring_setup, 8, address_of(page)); }},
      {"userfaultfd", [] { return raw(SYS_userfaultfd, 0); }},
      {"keyring", [] { return raw(SYS_keyctl, 0, 0); }},
      {"memfd", [] { return raw(SYS_memfd_create, address_of("x"), 0); }},
      {"shared memory", [] { return raw(SYS_mmap, 0, kPage, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, -1); }},
      {"growing memory",
       [] { return raw(SYS_mmap, 0, kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1); }},
      {"sysv memory", [] { return raw(SYS_shmget, 0, kPage, 01600); }},
      {"signal by descriptor", [] { return raw(SYS_fcntl, 3, F_SETOWN, ::getppid()); }},
      {"write own maps", [] { return raw(SYS_openat, AT_FDCWD, address_of("/proc/self/mem"), O_RDWR); }},
      {"32 bit call",
       [] {
         long result = 20;  // getpid of the 32-bit table
         asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
         return result;
       }},
      {"x32 call", [] { return raw(0x40000000L | SYS_getpid); }},
  };
  return table;
}

}  // namespace

std::string attack(std::string_view name) {
  if (name == "memory") return flood(kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS);
  if (name == "heap memory") {
    std::vector<void*> blocks;
    while (blocks.size() < (1U << 20)) {
      void* block = std::malloc(1 << 20);
      if (block == nullptr) break;
      std::memset(block, 1, 1 << 20);
      blocks.push_back(block);
    }
    std::string result = "stopped after " + std::to_string(blocks.size()) + " MiB";
    for (void* block : blocks) std::free(block);
    return result;
  }
  if (name == "descriptors") return flood_descriptors();
  if (name == "thread") {
    try {
      std::thread([] {}).join();
      return "went through";
    } catch (const std::system_error&) {
      return "refused: threads";
    }
  }
  const auto& others = tries_on_others();
  const auto& itself = tries_on_itself();
  const auto on_others = others.find(name);
  const auto on_itself = itself.find(name);
  if (on_others == others.end() && on_itself == itself.end()) return "there is no such attack";
  errno = 0;
  const long result = on_others != others.end() ? on_others->second() : on_itself->second();
  return result < 0 ? std::string("refused: ") + ::strerrorname_np(errno) : "went through";
}

}  // namespace noren::worker
