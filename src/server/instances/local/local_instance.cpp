#include "server/instances/local/local_instance.h"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <csignal>

#include "base/limits.h"
#include "link/messages.h"

namespace noren::server {
namespace {

using link::FrameType;

// Memory reports between two answers: more would be a worker that keeps the server busy.
constexpr int kUnaskedCount = 64;

}  // namespace

ServingChild::ServingChild(std::uint64_t id, const InstanceSpec& spec, const LocalHostOptions& options,
                           InstanceListener& listener)
    : LocalChild(id), listener_(&listener), gpu_memory_limit_bytes_(options.gpu_memory_limit_bytes) {
  bounds_.role = link::ChildRole::kServe;
  bounds_.threads_count = static_cast<std::uint32_t>(std::max(1, spec.threads_count));
  // A load in the background is a thread of its own.
  if (spec.priority != Priority::kNormal) bounds_.threads_count = std::max(bounds_.threads_count, 2U);
  bounds_.memory_limit_bytes =
      spec.memory_limit_bytes > 0 ? spec.memory_limit_bytes : options.memory_limit_bytes;
}

void ServingChild::load(const InstanceSpec& spec) {
  link::LoadRequest request;
  request.version_label = spec.version_label;
  request.threads_count = static_cast<std::uint32_t>(std::max(1, spec.threads_count));
  request.batch_limit_count = static_cast<std::uint32_t>(std::max(1, spec.batch_limit_count));
  request.keep_output_names = spec.keep_output_names;
  request.priority = spec.priority;
  request.try_sample = spec.try_sample;
  request.on_gpu = spec.device == DeviceKind::kGpu;
  request.gpu_memory_limit_bytes = gpu_memory_limit_bytes_;
  UniqueFd package(::fcntl(spec.package->get(), F_DUPFD_CLOEXEC, 0));
  stream().writer().add({.type = FrameType::kLoad}, link::encode(request), std::move(package));
  stream().flush_soon();
}

void ServingChild::call(std::uint64_t call_id, const RequestBody& body, MonotonicNs deadline_ns) {
  if (!connected()) return;
  in_flight_.push_back(call_id);
  link::FrameHeader header{
      .type = FrameType::kInfer, .id = call_id, .time_ns = deadline_ns, .count = body.limit_bytes};
  if (body.encoding == RequestBody::Encoding::kGzip) header.flags |= link::kGzip;
  if (body.files == RequestBody::Files::kAll) header.flags |= link::kAllFiles;
  // A descriptor of our own: should the worker answer before it was asked, the body's may be gone when it is
  // sent.
  if (body.memfd.valid())
    stream().writer().add(header, {}, UniqueFd(::fcntl(body.memfd.get(), F_DUPFD_CLOEXEC, 0)));
  else
    stream().writer().add(header, bytes_of(body.inline_bytes));
  // A worker without work starts on its first request now; what comes while it works leaves together.
  if (in_flight_.size() == 1)
    stream().flush_now();
  else
    stream().flush_soon();
}

void ServingChild::cancel(std::uint64_t call_id) {
  if (!connected()) return;
  stream().writer().add({.type = FrameType::kCancel, .id = call_id});
  stream().flush_soon();
}

void ServingChild::drain() {
  if (!connected() || draining_) return;
  draining_ = true;
  stream().writer().add({.type = FrameType::kDrain});
  stream().flush_soon();
}

void ServingChild::refuse(const std::string& why) {
  InstanceListener* const listener = std::exchange(listener_, nullptr);
  if (listener != nullptr) listener->on_exit({.kind = ExitKind::kLoadFailed, .signal = 0, .reason = why});
}

Status ServingChild::on_frame(link::Frame& frame, ByteView payload) {
  switch (frame.header.type) {
    case FrameType::kOutcome: return on_outcome(frame.header, payload);
    case FrameType::kLoaded: return on_loaded(frame.header, payload);
    case FrameType::kFailed: return on_failed(frame.header, payload);
    case FrameType::kMemory: return on_memory(frame.header);
    default: return link::broken_frame("type");
  }
}

/// A worker can't take more than its bound, whatever it says: else one could have all others evicted.
std::int64_t ServingChild::believable(std::int64_t bytes) const {
  const std::int64_t bound_bytes = bounds_.memory_limit_bytes;
  return std::clamp<std::int64_t>(bytes, 0, bound_bytes > 0 ? bound_bytes : INT64_MAX);
}

Status ServingChild::on_loaded(const link::FrameHeader& header, ByteView payload) {
  if (loaded_ || load_failed_) return link::broken_frame("loaded twice");
  ASSIGN_OR_RETURN(const auto report, link::decode<link::LoadedReport>(payload));
  loaded_ = true;
  LoadReport load;
  load.load_ns = std::max<std::int64_t>(0, header.time_ns);
  load.private_bytes = believable(report.private_bytes);
  load.batchable = report.batchable;
  if (listener_ != nullptr) listener_->on_ready(load);
  return Ok{};
}

Status ServingChild::on_failed(const link::FrameHeader&, ByteView payload) {
  if (loaded_ || load_failed_ || payload.size() > limits::kDetailBytes) return link::broken_frame("failed");
  load_failed_ = true;
  load_failure_ = text_of(payload);
  return Ok{};
}

Status ServingChild::on_outcome(const link::FrameHeader& header, ByteView payload) {
  const auto call = std::ranges::find(in_flight_, header.id);
  if (!loaded_ || call == in_flight_.end()) return link::broken_frame("an answer that nobody asked for");
  if (header.code > static_cast<std::uint32_t>(link::kLastOutcome)) return link::broken_frame("outcome");
  *call = in_flight_.back();
  in_flight_.pop_back();
  unasked_count_ = 0;
  CallOutcome outcome;
  switch (static_cast<link::Outcome>(header.code)) {
    case link::Outcome::kOk: outcome.code = OutcomeCode::kOk; break;
    case link::Outcome::kInvalidRequest: outcome.code = OutcomeCode::kInvalidRequest; break;
    case link::Outcome::kTooLarge: outcome.code = OutcomeCode::kTooLarge; break;
    case link::Outcome::kInternal: outcome.code = OutcomeCode::kInternal; break;
    case link::Outcome::kNotRun: outcome.code = OutcomeCode::kNotRun; break;
  }
  if (outcome.code != OutcomeCode::kOk && payload.size() > limits::kDetailBytes)
    return link::broken_frame("detail");
  outcome.bytes = text_of(payload);
  outcome.run_ns = std::max<std::int64_t>(0, header.time_ns);
  outcome.batch_size = std::clamp<std::uint32_t>(header.count, 1, limits::kQueuePerApiCount);
  if (listener_ != nullptr) listener_->on_outcome(header.id, std::move(outcome));
  return Ok{};
}

Status ServingChild::on_memory(const link::FrameHeader& header) {
  if (!loaded_ || ++unasked_count_ > kUnaskedCount) return link::broken_frame("memory");
  if (listener_ != nullptr) listener_->on_memory(believable(header.time_ns));
  return Ok{};
}

void ServingChild::on_finished(const ChildEnd& end) {
  InstanceListener* const listener = std::exchange(listener_, nullptr);
  if (listener == nullptr) return;
  ExitReport report;
  report.signal = end.signal;
  report.reason = end.describe();
  report.while_reading = loaded_ && end.died_reading();
  if (report.while_reading) report.signal = end.status - link::kDiedReadingStatus;
  if (end.host_lost) {
    report.kind = ExitKind::kHostLost;
  } else if (!end.broken.empty()) {
    report.kind = ExitKind::kCrashed;
  } else if (load_failed_) {
    report.kind = ExitKind::kLoadFailed;
    report.reason = load_failure_;
  } else if (kill_wanted()) {
    report.kind = ExitKind::kKilled;
    report.while_reading = false;
    report.reason = "killed";
  } else if (draining_ && (end.signal == 0 || end.signal == SIGKILL) && end.status == 0) {
    report.kind = ExitKind::kStopped;
    report.reason = "drained";
  }
  listener->on_exit(report);
}

LocalInstance::~LocalInstance() {
  child_->forget_listener();
  child_->kill();
}

void LocalInstance::call(std::uint64_t call_id, const RequestBody& body, MonotonicNs deadline_ns) {
  child_->call(call_id, body, deadline_ns);
}

}  // namespace noren::server
