// server/instances/local/local_child.h - What instances, inspections and probes have in common: a process
// with a socket. Used by the local host only, on the event loop's one thread. A child is finished when its
// process is gone and its socket is read to the end, whichever comes last.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

#include "base/unique_fd.h"
#include "link/messages.h"
#include "server/instances/local/frame_stream.h"

namespace noren::server {

/// How a process ended.
struct ChildEnd {
  int status = 0;
  int signal = 0;
  bool host_lost = false;
  std::string broken;  ///< what it said that was no frame, or not allowed there

  bool died_reading() const;
  /// One sentence for the operator.
  std::string describe() const;
};

class LocalChild : public FrameReceiver, public std::enable_shared_from_this<LocalChild> {
 public:
  explicit LocalChild(std::uint64_t id) : id_(id) {}

  std::uint64_t id() const { return id_; }
  virtual link::ForkRequest bounds() const = 0;
  /// Hands over the server's end; the child's end waits in `theirs` until a zygote takes it. `forget` is
  /// called, with the id, when the child is finished.
  void attach(std::shared_ptr<FrameStream> stream, UniqueFd theirs,
              std::function<void(std::uint64_t)> forget);
  bool waits_for_host() const { return theirs_.valid(); }
  UniqueFd take_socket() { return std::move(theirs_); }

  // What the zygote says.
  void on_forked(UniqueFd process);
  void on_exited(int status, int signal);
  /// The zygote is gone, and took its children with it. `gone` is called back through `io` when this one is.
  void on_host_lost(boost::asio::io_context& io);

  /// SIGKILL, at once or as soon as there is a process.
  void kill();
  bool kill_wanted() const { return kill_wanted_; }
  /// What it had of the cores until now; nothing where there is no process, or the kernel does not say.
  std::optional<std::int64_t> core_time_ns() const;
  /// Kills, and no callback follows: the host is going.
  void abandon();

 protected:
  /// Whether there is anybody to talk to.
  bool connected() const { return stream_ != nullptr && !stream_ended_; }
  /// Called once, last.
  virtual void on_finished(const ChildEnd& end) = 0;
  FrameStream& stream() { return *stream_; }
  void on_end(const std::string& why) override;

 private:
  void send_kill();
  /// 0 where there is none, or it is gone.
  pid_t process_number() const;
  void finish_if_done();

  const std::uint64_t id_;
  std::shared_ptr<FrameStream> stream_;
  UniqueFd theirs_;
  UniqueFd process_;
  std::function<void(std::uint64_t)> forget_;
  ChildEnd end_;
  bool kill_wanted_ = false;
  bool exited_ = false;
  bool stream_ended_ = false;
  bool finished_ = false;
};

}  // namespace noren::server
