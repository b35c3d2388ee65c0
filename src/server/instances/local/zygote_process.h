// server/instances/local/zygote_process.h - One run of noren-worker: started with a closed environment, ended
// for certain. Used by the local host, on the event loop's thread (its end would end the zygote: that is who
// started it).
#pragma once

#include <string>

#include <sys/types.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "server/instances/local/local_host.h"

namespace noren::server {

class ZygoteProcess {
 public:
  static Result<ZygoteProcess> start(const LocalHostOptions& options, DeviceKind device);
  ZygoteProcess() = default;
  ZygoteProcess(ZygoteProcess&& other) noexcept;
  ZygoteProcess& operator=(ZygoteProcess&& other) noexcept;
  /// Kills it and waits until it is gone; its children go with it.
  ~ZygoteProcess();

  pid_t pid() const { return pid_; }
  int control() const { return control_.get(); }
  UniqueFd take_control() { return std::move(control_); }

 private:
  pid_t pid_ = -1;
  UniqueFd control_;
};

struct GreetedZygote {
  ZygoteProcess process;
  Bytes greeting;  ///< kHello's payload
};

/// noren-worker as the options name it, else the one beside this program.
Result<std::string> worker_path(const LocalHostOptions& options);

inline constexpr std::size_t kControlPayloadBytes = 64 * limits::kKiB;
/// Whether what a zygote said first (kHello's payload) is of this build. The error's text goes on after its
/// name.
Status check_greeting(ByteView payload);

/// A connected pair of close-on-exec stream sockets.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
Result<SocketPair> make_socket_pair();

}  // namespace noren::server
