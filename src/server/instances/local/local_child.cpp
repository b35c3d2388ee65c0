#include "server/instances/local/local_child.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace noren::server {

namespace asio = boost::asio;

bool ChildEnd::died_reading() const {
  return signal == 0 && status > link::kDiedReadingStatus && status <= link::kLastDiedReadingStatus;
}

std::string ChildEnd::describe() const {
  if (host_lost) return "the worker's host process ended";
  if (!broken.empty()) return "the worker said something that makes no sense (" + broken + ") and was ended";
  if (signal == SIGSYS) return "the worker asked for something that its sandbox forbids and was ended";
  if (signal != 0)
    return "the worker was ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
  if (died_reading())
    return "the worker died of a request that it read, by signal " +
           std::to_string(status - link::kDiedReadingStatus);
  return "the worker ended by itself with status " + std::to_string(status);
}

void LocalChild::attach(std::shared_ptr<FrameStream> stream, UniqueFd theirs,
                        std::function<void(std::uint64_t)> forget) {
  forget_ = std::move(forget);
  stream_ = std::move(stream);
  theirs_ = std::move(theirs);
  stream_->start(shared_from_this());
}

void LocalChild::on_forked(UniqueFd process) {
  process_ = std::move(process);
  if (kill_wanted_ || stream_ended_) send_kill();
}

void LocalChild::kill() {
  kill_wanted_ = true;
  send_kill();
  if (!theirs_.valid()) return;
  // No zygote was asked yet, so there is nothing but a socket to end.
  theirs_.reset();
  end_.signal = SIGKILL;
  exited_ = true;
}

void LocalChild::abandon() {
  finished_ = true;
  send_kill();
  if (stream_ != nullptr) stream_->close();
}

void LocalChild::send_kill() {
  if (!process_.valid()) return;
  if (bounds().priority == Priority::kIdle) {
    // Dying takes a core, too: with what others leave, seconds on a busy machine. Where the server has no
    // privilege for this, it stays so.
    const sched_param none{};
    const pid_t pid = process_number();
    if (pid > 0) static_cast<void>(::sched_setscheduler(pid, SCHED_OTHER, &none));
  }
  // The handle names this process and no other, even when its number is in use again.
  ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
}

pid_t LocalChild::process_number() const {
  if (!process_.valid()) return 0;
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(process_.get()));
  pid_t pid = 0;
  for (std::string word; pid == 0 && file >> word;)
    if (word == "Pid:") file >> pid;
  return std::max(pid, 0);  // that of a process which is gone is -1
}

std::optional<std::int64_t> LocalChild::core_time_ns() const {
  const pid_t pid = process_number();
  clockid_t clock = 0;
  timespec time{};
  if (pid == 0 || ::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    return std::nullopt;
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

void LocalChild::on_exited(int status, int signal) {
  end_.status = status;
  end_.signal = signal;
  exited_ = true;
  process_.reset();
  finish_if_done();
}

void LocalChild::on_host_lost(asio::io_context& io) {
  if (exited_) return;
  end_.host_lost = true;
  theirs_.reset();
  send_kill();
  const auto gone = [self = shared_from_this()] {
    if (self->stream_ != nullptr) self->stream_->close();
    self->stream_ended_ = true;
    self->on_exited(0, SIGKILL);
  };
  if (!process_.valid()) return gone();
  auto process = std::make_shared<asio::posix::stream_descriptor>(io, process_.release());
  process->async_wait(asio::posix::stream_descriptor::wait_read,
                      [process, gone](const boost::system::error_code&) {
                        // Where this program is the first of a container, the orphan became its child and
                        // wants to be buried.
                        siginfo_t info{};
                        ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process->native_handle()),
                                 &info, WEXITED | WNOHANG);
                        gone();
                      });
}

void LocalChild::on_end(const std::string& why) {
  stream_ended_ = true;
  end_.broken = why;
  // A worker without its socket is of no use, and one that breaks the rules has none of our trust.
  send_kill();
  finish_if_done();
}

void LocalChild::finish_if_done() {
  if (finished_ || !exited_ || !stream_ended_) return;
  finished_ = true;
  const std::shared_ptr<LocalChild> self = shared_from_this();
  if (forget_ != nullptr) forget_(id_);
  on_finished(end_);
}

}  // namespace noren::server
