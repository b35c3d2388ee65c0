// server/instances/local/local_host.h - The InstanceHost that runs workers as processes of this machine.
// Made by the app, used through InstanceHost on the event loop's one thread. Starts noren-worker (the
// zygote), asks it for children, kills them by process handle, and starts a fresh zygote when one is lost.
// Treats all that a worker says as a lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "server/instances/instance.h"

namespace boost::asio {
class io_context;
}

namespace noren::server {

/// Workers that inspect, with those that have answered and still die: each may hold an inspection's memory.
/// More wait.
inline constexpr std::size_t kInspectingCount = 4;

struct LocalHostOptions {
  /// noren-worker; empty: beside this very program.
  std::string worker_path;
  /// Where an instance's or an inspection's own settings name no limit.
  std::int64_t memory_limit_bytes = std::int64_t{8} << 30;
  std::int64_t inspect_memory_limit_bytes = std::int64_t{8} << 30;
  /// How often a throw-away child is asked for a sign of life; 0: never.
  std::int64_t probe_every_ms = 3'000;
  /// How long a worker program may take until it says who it is, when the server starts.
  std::int64_t greeting_limit_ms = 15'000;
  /// Folder of ONNX Runtime's GPU build: libonnxruntime.so.1 and its CUDA provider. Empty: no GPU is used.
  std::string gpu_runtime_folder;
  std::int64_t gpu_memory_limit_bytes = 0;  ///< on the device, of one instance; 0: none
  /// What workers write to stderr is untrusted and dropped, except where somebody hunts a fault.
  enum class WorkerErrors : std::uint8_t { kDiscard, kKeep } worker_errors = WorkerErrors::kDiscard;
};

/// A worker program that runs and has said who it is.
struct GreetedZygote;

/// Starts the worker program, which must greet as one of this build within greeting_limit_ms. The error says,
/// for who starts noren, what is wrong with the program.
Result<std::shared_ptr<GreetedZygote>> start_worker_program(const LocalHostOptions& options);

/// Destroying the host ends its workers. Callbacks come from `io`'s run(), never from inside a call. `first`
/// is the host's first zygote; without it the host starts one, again and again.
std::unique_ptr<InstanceHost> make_local_host(boost::asio::io_context& io, const LocalHostOptions& options,
                                              const std::shared_ptr<GreetedZygote>& first = nullptr);

/// "" where instances can run on a GPU of this machine, else why not, for a person. Looks at files alone: the
/// driver is met by the first instance. `root` stands before every path, for tests.
std::string gpu_unavailable_reason(const std::string& runtime_folder, const std::string& root = {});

/// One inspection without a server: blocks until it is done. For `noren inspect`.
Result<Inspection> inspect_once(LocalHostOptions options, InspectSpec spec);

}  // namespace noren::server
