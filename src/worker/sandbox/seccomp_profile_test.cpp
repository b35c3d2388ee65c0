#include "worker/sandbox/seccomp_profile.h"

#include <cerrno>

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace noren::worker {
namespace {

/// The error that ioctl answers with in a process with this profile; 0: none.
int ioctl_error(SeccompProfile profile, unsigned long request) {
  const auto filter = SeccompFilter::compile(profile, Threads::kMany);
  EXPECT_TRUE(filter.ok());
  const pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !filter->load(::getpid()).ok()) ::_exit(255);
    int ends[2];
    int argument = 0;
    if (::pipe(ends) != 0) ::_exit(254);
    ::_exit(::syscall(SYS_ioctl, ends[0], request, &argument) == 0 ? 0 : errno);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(SeccompProfile, AGpuWorkerAsksItsDriverAndTypesAtNoTerminal) {
  EXPECT_EQ(ioctl_error(SeccompProfile::kGpu, FIONREAD), 0);
  // The kernel's own answer would be ENOTTY: it is a pipe.
  EXPECT_EQ(ioctl_error(SeccompProfile::kGpu, TIOCSTI), EPERM);
  EXPECT_EQ(ioctl_error(SeccompProfile::kGpu, TIOCLINUX), EPERM);
  EXPECT_EQ(ioctl_error(SeccompProfile::kGpu, TIOCSTI | (1UL << 40)), EPERM) << "with bits that don't count";
}

}  // namespace
}  // namespace noren::worker
