#include "worker/import/onnx_analysis.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/limits.h"
#include "worker/import/onnx_builder.h"
#include "worker/import/onnx_import.h"

#ifndef NOREN_SANITIZED  // where AddressSanitizer ends the program instead of letting `new` throw
namespace noren::worker {
namespace {

std::uint64_t address_bytes() {
  std::uint64_t pages_count = 0;
  std::ifstream("/proc/self/statm") >> pages_count;
  return pages_count * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// In a process that may have `more_bytes` than it has: 0 where nothing is known of the graph, 1 where
/// something is.
int status_of_analysis(const Bytes& model, const ExecutorSignature& executor, std::uint64_t more_bytes) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{address_bytes() + more_bytes, address_bytes() + more_bytes};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(2);
    try {
      const OnnxAnalysis analysis = analyse_onnx(model, executor);
      ::_exit(!analysis.statistics && !analysis.not_batchable_reason.empty() ? 0 : 1);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(OnnxAnalysis, AGraphThatThereIsNoMemoryToLookAtIsLeftAlone) {
  constexpr std::int64_t kSide = 4096;  // 64 MiB
  const OnnxBuilder builder = OnnxBuilder()
                                  .input("x", {-1, kSide})
                                  .output("y", {-1, kSide})
                                  .weight("W", {kSide, kSide})
                                  .node("MatMul", {"x", "W"}, "y");
  const Bytes model = builder.bytes();
  const auto file = read_onnx(model);
  ASSERT_TRUE(file.ok());
  const auto signature = signature_of_onnx(*file, {});
  ASSERT_TRUE(signature.ok());
  EXPECT_EQ(status_of_analysis(model, signature->executor, 16 * limits::kMiB), 0);
  // Once for the weights, and little beside: the graph that the engine is asked has none of them.
  EXPECT_EQ(status_of_analysis(model, signature->executor, 120 * limits::kMiB), 1);
}

}  // namespace
}  // namespace noren::worker
#endif
