// server/instances/instance.h - Instances: running copies of one published model, and the host that starts
// them. Used by the data plane (calls) and the control plane (imports, start, stop). Everything here is
// called and calls back on the event loop's one thread; nothing blocks. An instance's words are untrusted:
// sizes are checked before they get here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hang_up.h"
#include "base/priority.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace noren::server {

/// A request's body, kept until it is answered: small ones inline, large ones in a sealed memfd that the
/// worker gets.
struct RequestBody {
  std::string inline_bytes;
  UniqueFd memfd;  ///< valid for bodies of limits::kBodyInlineBytes and more
  std::uint64_t size_bytes = 0;
  enum class Encoding : std::uint8_t { kIdentity, kGzip } encoding = Encoding::kIdentity;
  /// What it may carry, by the API's type when it was admitted: only dedicated ones take DICOM and sound.
  enum class Files : std::uint8_t { kPerRequest, kAll } files = Files::kPerRequest;
  /// What it may become when it is unpacked, by the API's limit when it was admitted.
  std::uint32_t limit_bytes = 0;
};

enum class OutcomeCode : std::uint8_t {
  kOk,              ///< bytes: the answer's JSON
  kInvalidRequest,  ///< bytes: a detail for the caller, at most limits::kDetailBytes
  kTooLarge,        ///< the unpacked body passes its limit
  kInternal,        ///< the model failed in a way that is not the caller's; bytes: a detail for the log
  kNotRun,          ///< cancelled, or handed back unrun while draining
};

struct CallOutcome {
  OutcomeCode code = OutcomeCode::kInternal;
  std::string bytes;
  std::int64_t run_ns = 0;       ///< decode and inference: processor time, on a GPU by the clock
  std::uint32_t batch_size = 1;  ///< requests that shared the run
};

enum class DeviceKind : std::uint8_t { kCpu, kGpu };

struct InstanceSpec {
  std::string api_id;
  std::shared_ptr<const UniqueFd> package;  ///< sealed memfd
  std::string version_label;                ///< "20200707_051647035778", printed in every answer
  std::int64_t memory_limit_bytes = 0;      ///< RLIMIT_DATA and the cgroup's limit; 0: the host's default
  int threads_count = 1;
  DeviceKind device = DeviceKind::kCpu;
  int batch_limit_count = 32;             ///< 1 switches batching off
  bool keep_output_names = false;         ///< y' stays y'
  Priority priority = Priority::kNormal;  ///< while it loads: lower beside what serves
  bool try_sample = false;  ///< ready only when a request of the model's own inputs was answered
};

struct LoadReport {
  std::int64_t load_ns = 0;
  std::int64_t private_bytes = 0;
  bool batchable = false;
};

enum class ExitKind : std::uint8_t { kStopped, kKilled, kCrashed, kLoadFailed, kHostLost };
struct ExitReport {
  ExitKind kind = ExitKind::kCrashed;
  int signal = 0;
  std::string reason;          ///< for the operator and, for kLoadFailed, the owner
  bool while_reading = false;  ///< kCrashed: says that it died of a request that it read, not of its model
};

/// Callbacks of one instance. on_exit is the last one; calls that got no outcome until then are lost with it.
class InstanceListener {
 public:
  virtual ~InstanceListener() = default;
  virtual void on_ready(const LoadReport& report) = 0;
  virtual void on_outcome(std::uint64_t call_id, CallOutcome outcome) = 0;
  virtual void on_memory(std::int64_t private_bytes) = 0;
  virtual void on_exit(const ExitReport& report) = 0;
};

class Instance {
 public:
  /// Destroying kills; no callback follows.
  virtual ~Instance() = default;
  /// Hands a request over (also before on_ready: it waits in the worker's socket). `body` must live until the
  /// outcome or the exit. Deadlines are the caller's to watch: past one, call kill().
  virtual void call(std::uint64_t call_id, const RequestBody& body, MonotonicNs deadline_ns) = 0;
  /// Drops a call that has not begun (kNotRun follows); one that runs goes on.
  virtual void cancel(std::uint64_t call_id) = 0;
  /// Answers what it holds, then exits (kStopped).
  virtual void drain() = 0;
  /// SIGKILL; on_exit follows when the process is really gone.
  virtual void kill() = 0;
  /// What its process had of the cores until now; nothing where that is not known.
  virtual std::optional<std::int64_t> core_time_ns() const { return std::nullopt; }
};

struct InspectSpec {
  UniqueFd file;  ///< the upload, sealed
  std::string file_name;
  std::vector<std::string> input_rules;
  bool list_layers = false;
  std::int64_t deadline_ms = 0;         ///< 0: limits::kInspectDeadlineMs
  Priority priority = Priority::kIdle;  ///< one that gets too little that way begins anew at a low one
  enum class Task : std::uint8_t { kModel, kResults } task = Task::kModel;
  std::shared_ptr<HangUp> hang_up;  ///< told where nobody waits for the result any more; null: never
};
struct Inspection {
  std::string description_json;  ///< of results: the index of their parts
  UniqueFd package;              ///< sealed memfd; of results: the parts
};

class InstanceHost {
 public:
  virtual ~InstanceHost() = default;
  virtual std::unique_ptr<Instance> start(InstanceSpec spec, InstanceListener& listener) = 0;
  /// Import in a throw-away worker. The error's text is for the person who uploads. `done` does not wait for
  /// the worker's end, which a busy machine may put off for long; the worker can't change the result any
  /// more.
  virtual void inspect(InspectSpec spec, std::function<void(Result<Inspection>)> done) = 0;
  /// When a freshly forked probe last answered; 0: never. Readiness is this within the last 10 s.
  virtual MonotonicNs last_probe_ns() const = 0;
  /// "" where GPU instances can be started, else why not.
  virtual std::string gpu_unavailable_reason() const = 0;
};

}  // namespace noren::server
