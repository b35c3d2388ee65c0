// What a worker that was taken over can do: nothing, and the host goes on.
#include <signal.h>

#include "base/limits.h"
#include "host_fixture.h"

namespace noren::server {
namespace {

class Hostile : public HostTest {
 protected:
  /// The attack's result in a fresh worker, and proof that the host still works.
  std::string result_of(const std::string& attack, std::int64_t memory_limit_bytes = 0,
                        int threads_count = 1) {
    Remembering listener;
    const auto instance = start(listener, "toy", memory_limit_bytes, threads_count);
    const std::string result = ask(*instance, listener, "attack " + attack);
    Remembering next;
    const auto other = start(next);
    EXPECT_EQ(ask(*other, next, "echo alive"), "alive") << "after " << attack;
    return result;
  }
};

#ifndef NOREN_SANITIZED

constexpr const char* kStopped = "ended by signal 31";

TEST_F(Hostile, WhatNoLibraryDoesByAccidentEndsTheWorker) {
  for (const char* attack : {"socket",          "socket unix",   "connect",     "bind",
                             "sendmsg",         "execve",        "execveat",    "fork",
                             "vfork",           "clone process", "clone vm",    "clone user namespace",
                             "ptrace",          "read parent",   "kill parent", "kill all",
                             "tkill parent",    "tgkill parent", "pidfd",       "map executable",
                             "make executable", "personality",   "become root", "unshare",
                             "mount",           "bpf",           "io_uring",    "userfaultfd",
                             "keyring",         "memfd",         "sysv memory", "32 bit call",
                             "x32 call"})
    EXPECT_EQ(result_of(attack), kStopped) << attack;
}

TEST_F(Hostile, WhatLibrariesMayTryIsRefused) {
  for (const char* attack :
       {"open", "openat", "create", "stat", "unlink", "write own maps", "raise priority"})
    EXPECT_EQ(result_of(attack), "refused: EACCES") << attack;
  for (const char* attack : {"outlive parent", "be dumpable", "regain privileges", "undo seccomp"})
    EXPECT_EQ(result_of(attack), "refused: EPERM") << attack;
  for (const char* attack :
       {"clone3", "make executable with key", "raise limit", "set limit", "shared memory", "growing memory",
        "signal by descriptor", "slow others", "slow all"})
    EXPECT_EQ(result_of(attack), "refused: ENOSYS") << attack;
}

TEST_F(Hostile, ThreadsAreMadeOnlyWhereTheInstanceHasMany) {
  EXPECT_EQ(result_of("thread"), "refused: threads");
  EXPECT_EQ(result_of("thread", 0, 2), "went through");
  EXPECT_EQ(result_of("fork", 0, 2), kStopped);
  EXPECT_EQ(result_of("clone process", 0, 2), kStopped);
  EXPECT_EQ(result_of("clone vm", 0, 2), kStopped);
}

TEST_F(Hostile, MemoryEndsAtTheLimit) {
  const auto mib = [](const std::string& result) {
    EXPECT_TRUE(result.starts_with("stopped after ")) << result;
    return std::atoi(result.c_str() + 14);
  };
  constexpr std::int64_t kLimit = 256 * static_cast<std::int64_t>(limits::kMiB);
  for (const char* attack : {"memory", "heap memory"}) {
    const int taken = mib(result_of(attack, kLimit));
    EXPECT_GE(taken, 128) << attack;
    EXPECT_LE(taken, 256 + 4) << attack;  // some room is left in the heap that it was born with
  }
}

TEST_F(Hostile, DescriptorsEnd) { EXPECT_EQ(result_of("descriptors"), "stopped after 0"); }

#else

TEST_F(Hostile, EvenTheSanitizersProfileMakesNoProcessAndNoSocket) {
  for (const char* attack : {"socket", "execve", "fork", "clone process", "kill parent", "tgkill parent"})
    EXPECT_EQ(result_of(attack), "ended by signal 31") << attack;
}

#endif

TEST_F(Hostile, ARequestThatTakesTooMuchMemoryFailsAndTheNextOneWorks) {
#ifndef NOREN_SANITIZED
  Remembering listener;
  const auto instance = start(listener, "toy", 128 * static_cast<std::int64_t>(limits::kMiB));
  EXPECT_EQ(ask(*instance, listener, "memory 1024"), "the model needs more memory than its limit allows");
  EXPECT_EQ(ask(*instance, listener, "echo still here"), "still here");
  EXPECT_EQ(ask(*instance, listener, "memory 16"), "took 16");
#endif
}

}  // namespace
}  // namespace noren::server
