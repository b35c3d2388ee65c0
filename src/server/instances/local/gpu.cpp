// Whether this machine has what instances on a GPU need.
#include <filesystem>

#include "server/instances/local/local_host.h"

namespace noren::server {

std::string gpu_unavailable_reason(const std::string& runtime_folder, const std::string& root) {
  const auto is_there = [&root](const std::string& path) {
    std::error_code failure;
    return std::filesystem::exists(root + path, failure);
  };
  for (const char* device : {"/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"})
    if (!is_there(device))
      return std::string("this machine has no NVIDIA GPU, or its driver is not loaded (") + device +
             " is missing)";
  if (runtime_folder.empty())
    return "ONNX Runtime's GPU build is not set up (--gpu-runtime names its folder)";
  for (const char* library :
       {"libonnxruntime.so.1", "libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"})
    if (!is_there(runtime_folder + "/" + library))
      return std::string(library) + " is missing in " + runtime_folder + " (--gpu-runtime)";
  return {};
}

}  // namespace noren::server
