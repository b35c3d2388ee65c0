#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "server/instances/local/local_host.h"

namespace noren::server {
namespace {

TEST(Gpu, SaysWhatIsMissingUntilNothingIs) {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("noren-gpu-" + std::to_string(::getpid()));
  const auto make = [&root](const std::string& path) {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << "x";
  };
  const auto reason = [&root](const std::string& folder) {
    return gpu_unavailable_reason(folder, root.string());
  };
  EXPECT_NE(reason("/runtime").find("no NVIDIA GPU"), std::string::npos);
  for (const char* device : {"dev/nvidiactl", "dev/nvidia0", "dev/nvidia-uvm"}) {
    EXPECT_NE(reason("/runtime").find(device), std::string::npos) << reason("/runtime");
    make(device);
  }
  EXPECT_NE(reason("").find("--gpu-runtime"), std::string::npos);
  for (const char* library :
       {"libonnxruntime.so.1", "libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"}) {
    EXPECT_EQ(reason("/runtime"), std::string(library) + " is missing in /runtime (--gpu-runtime)");
    make(std::string("runtime/") + library);
  }
  EXPECT_EQ(reason("/runtime"), "");
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace noren::server
