// server/instances/local/zygote_process.h - One run of noren-worker: started with a closed environment, ended
// for certain. Used by the local host, on the event loop's thread (its end would end the zygote: that is who
// started it).
#pragma once

#include <string>

#include <sys/types.h>

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
  UniqueFd take_control() { return std::move(control_); }

 private:
  pid_t pid_ = -1;
  UniqueFd control_;
};

/// A connected pair of close-on-exec stream sockets.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
Result<SocketPair> make_socket_pair();

}  // namespace noren::server
