#include "server/instances/local/local_inspection.h"

#include <algorithm>
#include <chrono>

#include <boost/asio/io_context.hpp>

#include "base/limits.h"
#include "base/priority.h"
#include "base/result_limits.h"

namespace noren::server {
namespace {

using link::FrameType;

constexpr std::int64_t kProbeMemoryBytes = 64 * static_cast<std::int64_t>(limits::kMiB);

}  // namespace

InspectingChild::InspectingChild(std::uint64_t id, boost::asio::io_context& io,
                                 std::int64_t memory_limit_bytes, Done done)
    : LocalChild(id), done_(std::move(done)), deadline_(io) {
  bounds_.role = link::ChildRole::kInspect;
  bounds_.memory_limit_bytes = memory_limit_bytes;
  bounds_.file_limit_bytes = static_cast<std::int64_t>(limits::kPackageBytes);
}

void InspectingChild::begin(InspectSpec spec, UniqueFd output) {
  const std::int64_t deadline_ms = spec.deadline_ms > 0 ? spec.deadline_ms : limits::kInspectDeadlineMs;
  bounds_.cpu_limit_s = (deadline_ms + limits::kWorkerGraceMs) / 1'000 + 1;
  bounds_.priority = spec.priority;
  output_ = std::move(output);
  const bool is_model = spec.task == InspectSpec::Task::kModel;
  description_limit_bytes_ = is_model ? limits::kDescriptionBytes : limits::kImportIndexBytes;
  link::InspectRequest request{std::move(spec.file_name), std::move(spec.input_rules), spec.list_layers,
                               is_model ? link::InspectTask::kModel : link::InspectTask::kResults};
  stream().writer().add({.type = FrameType::kInspectOutput}, {}, output_.get());
  stream().writer().add({.type = FrameType::kInspect}, link::encode(request), std::move(spec.file));
  stream().flush_soon();
  left_ms_ = deadline_ms;
  window_ms_ = std::min(limits::kIdleImportMs, deadline_ms / 2);
  watch();
}

void InspectingChild::watch() {
  const std::int64_t watched_ms = starved_ == nullptr ? left_ms_ : std::min(window_ms_, left_ms_);
  deadline_.expires_after(std::chrono::milliseconds(watched_ms));
  deadline_.async_wait([weak = weak_from_this(), watched_ms](const boost::system::error_code& error) {
    const auto self = std::static_pointer_cast<InspectingChild>(weak.lock());
    if (!error && self != nullptr && !self->has_answer()) self->on_watched(watched_ms);
  });
}

void InspectingChild::on_watched(std::int64_t watched_ms) {
  const std::optional<std::int64_t> core_time_ns = core_time_ns_so_far();
  left_ms_ -= watched_ms;
  if (starved_ != nullptr && got_too_little(core_time_ns, watched_ms * 1'000'000)) {
    // Its successor does not wait for its end, which a busy machine may put off for long.
    done_ = nullptr;
    kill();
    return std::exchange(starved_, nullptr)();
  }
  if (left_ms_ > 0) return watch();
  overdue_ = true;
  kill();
}

/// Since the last look.
std::optional<std::int64_t> InspectingChild::core_time_ns_so_far() {
  const std::optional<std::int64_t> now_ns = core_time_ns();
  if (!now_ns.has_value()) return std::nullopt;
  return *now_ns - std::exchange(core_time_ns_, *now_ns);
}

Status InspectingChild::on_frame(link::Frame& frame, ByteView payload) {
  if (has_answer()) return link::broken_frame("more than one answer");
  if (frame.header.type == FrameType::kInspected && payload.size() <= description_limit_bytes_) {
    description_ = std::string(text_of(payload));
  } else if (frame.header.type == FrameType::kFailed && payload.size() <= limits::kDetailBytes) {
    const bool known = frame.header.code <= static_cast<std::uint32_t>(Code::kInternal);
    refusal_ = make_error(known ? static_cast<Code>(frame.header.code) : Code::kInternal,
                          std::string(text_of(payload)));
  } else {
    return link::broken_frame("type");
  }
  // It has done what it was made for. Its end takes as long as the machine lets it, and nobody waits for
  // that: once sealed, the package can't be changed any more. One that has it mapped, which none of ours
  // does, holds the seal off until it is dead.
  deadline_.cancel();
  kill();
  auto inspection = result({});
  if (inspection.ok() || refusal_.has_value()) deliver(std::move(inspection));
  return Ok{};
}

void InspectingChild::give_up() {
  kill();
  deliver(make_error(Code::kFailedPrecondition, "whoever asked for this import hung up"));
}

void InspectingChild::deliver(Result<Inspection> inspection) {
  deadline_.cancel();
  starved_ = nullptr;
  if (const Done done = std::exchange(done_, nullptr)) done(std::move(inspection));
}

Result<Inspection> InspectingChild::result(const ChildEnd& end) {
  if (overdue_ && !has_answer())
    return make_error(Code::kDeadlineExceeded, "the model could not be read and tried in time");
  if (refusal_.has_value()) return std::move(*refusal_);
  if (end.host_lost) return make_error(Code::kUnavailable, "the import was interrupted, please try again");
  if (!description_.has_value() || !end.broken.empty())
    return make_error(Code::kCorrupt, "the file made its reader fail, so it is refused", end.describe());
  TRY(seal(output_.get()));
  return Inspection{std::move(*description_), std::move(output_)};
}

void InspectingChild::on_finished(const ChildEnd& end) {
  if (done_ != nullptr) deliver(result(end));
}

link::ForkRequest ProbingChild::bounds() const {
  link::ForkRequest bounds;
  bounds.role = link::ChildRole::kProbe;
  bounds.memory_limit_bytes = kProbeMemoryBytes;
  bounds.cpu_limit_s = 1;
  return bounds;
}

void ProbingChild::begin() {
  stream().writer().add({.type = FrameType::kProbe, .id = id()});
  stream().flush_soon();
}

Status ProbingChild::on_frame(link::Frame& frame, ByteView) {
  if (frame.header.type != FrameType::kProbed || frame.header.id != id() || has_answered_)
    return link::broken_frame("type");
  has_answered_ = true;
  return Ok{};
}

void ProbingChild::on_finished(const ChildEnd& end) {
  if (has_answered_ && end.broken.empty()) answered_();
}

}  // namespace noren::server
