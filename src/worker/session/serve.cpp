#include "worker/session/serve.h"

#include <algorithm>
#include <exception>
#include <new>
#include <optional>

#include "base/limits.h"
#include "base/stopwatch.h"
#include "worker/protocol/classic/classic.h"
#include "worker/sandbox/lower_priority.h"
#include "worker/session/background.h"
#include "worker/session/backstop.h"
#include "worker/session/batch.h"
#include "worker/session/body.h"
#include "worker/session/conversation.h"
#include "worker/session/reading_mark.h"

namespace noren::worker {
namespace {

using link::FrameType;
using link::Outcome;

// Answers wait for each other in one write, but not longer than this.
constexpr std::int64_t kHoldAnswersNs = 100'000;
constexpr std::size_t kHoldAnswersBytes = 256 * limits::kKiB;
// While requests are waiting, how often the socket is asked for cancellations and more of them.
constexpr std::int64_t kLookAgainNs = 50'000;

/// Calls what may throw. A library that runs out of memory throws; the worker goes on.
template <typename Function>
auto guarded(Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return make_error(Code::kInternal, "the model needs more memory than its limit allows");
  } catch (const std::exception& problem) {
    return make_error(Code::kInternal, "the model failed", problem.what());
  }
}

/// The same for what a caller has sent: a request that can't be read is the caller's fault.
template <typename Function>
auto guarded_reading(Function&& function) -> decltype(function()) {
  const ReadingMark mark;
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return invalid("the request needs more memory to be read than this model has");
  } catch (const std::exception& problem) {
    return make_error(Code::kInvalidArgument, "inputs: a file could not be decoded", problem.what());
  }
}

Outcome outcome_of(const Error& error) {
  return error.code == Code::kInternal || error.code == Code::kExhausted || error.code == Code::kUnavailable
             ? Outcome::kInternal
             : Outcome::kInvalidRequest;
}

class ServeLoop {
 public:
  ServeLoop(int socket, MemoryMeter memory, const OpenServable& open)
      : conversation_(socket), memory_(std::move(memory)), open_(open) {}
  int run();

 private:
  enum class Next : std::uint8_t { kGoOn, kStop };

  Next load();
  Result<std::unique_ptr<Servable>> open_package(int package, const link::LoadRequest& request);
  Next listen();
  Status take_frames();
  void release_bodies();
  void cancel(std::uint64_t id);
  void parse(Waiting& waiting);
  Result<ByteView> body_of(const Waiting& waiting);
  void answer_some();
  void run_batch(std::span<Waiting> batch, const Stopwatch& stopwatch);
  void run_alone(Waiting& waiting, const Stopwatch& stopwatch);
  /// A GPU works while the core waits.
  std::int64_t run_ns_of(const Stopwatch& stopwatch) const {
    return on_gpu_ ? stopwatch.elapsed_ns() : stopwatch.run_ns();
  }
  void answer(const Waiting& waiting, std::span<const Tensor> outputs, std::int64_t run_ns,
              std::size_t shared_by);
  void answer(const Waiting& waiting, Outcome outcome, std::string_view detail);
  void tell_memory(std::optional<std::int64_t> bytes);

  Conversation conversation_;
  MemoryMeter memory_;
  const OpenServable& open_;
  Mapping package_;
  std::unique_ptr<Servable> servable_;
  PaddedMapping mapping_;
  InflatedBody inflated_;
  Backstop backstop_;
  BatchPolicy policy_;
  std::vector<Waiting> queue_;
  std::vector<std::vector<Tensor>> rows_;
  MonotonicNs flushed_ns_ = 0;
  MonotonicNs looked_ns_ = 0;
  bool on_gpu_ = false;
  bool draining_ = false;
  bool has_answered_ = false;
  int status_ = kExitDone;
};

ServeLoop::Next ServeLoop::load() {
  const auto frame = conversation_.next();
  if (frame.ok() && !frame->has_value()) return Next::kStop;
  status_ = kExitBroken;
  if (!frame.ok() || (*frame)->header.type != FrameType::kLoad || !(*frame)->descriptor.valid())
    return Next::kStop;
  const auto request = link::decode<link::LoadRequest>(conversation_.reader().payload(**frame));
  if (!request.ok()) return Next::kStop;
  const MonotonicNs started_ns = system_clock().monotonic_ns();
  Result<std::unique_ptr<Servable>> opened = internal("not loaded");
  const auto open = [&] { opened = open_package((*frame)->descriptor.get(), *request); };
  if (request->priority == Priority::kNormal)
    open();
  else
    run_in_background(request->priority, open);
  if (!opened.ok()) {
    status_ = conversation_.fail(opened.error());
    return Next::kStop;
  }
  servable_ = std::move(*opened);
  policy_ = BatchPolicy(request->batch_limit_count);
  on_gpu_ = request->on_gpu;
  const link::LoadedReport report{memory_.estimate(), servable_->batchable(0)};
  const std::int64_t duration_ns = system_clock().monotonic_ns() - started_ns;
  conversation_.writer().add({.type = FrameType::kLoaded, .time_ns = duration_ns}, link::encode(report));
  status_ = kExitDone;
  return Next::kGoOn;
}

Result<std::unique_ptr<Servable>> ServeLoop::open_package(int package, const link::LoadRequest& request) {
  return guarded([&]() -> Result<std::unique_ptr<Servable>> {
    ASSIGN_OR_RETURN(package_, Mapping::map(package));
    ASSIGN_OR_RETURN(auto servable, open_(package_.bytes(), request));
    if (request.try_sample) TRY(servable->try_sample());
    return servable;
  });
}

/// Sends what is ready and takes in what has come: waits only when there is nothing to do.
ServeLoop::Next ServeLoop::listen() {
  const MonotonicNs now_ns = system_clock().monotonic_ns();
  const bool idle = queue_.empty();
  if (idle || now_ns - flushed_ns_ > kHoldAnswersNs ||
      conversation_.writer().size_bytes() > kHoldAnswersBytes) {
    tell_memory(memory_.grown(now_ns));
    if (!conversation_.flush()) return Next::kStop;
    flushed_ns_ = now_ns;
  }
  if (idle && draining_) return Next::kStop;
  if (!idle && now_ns - looked_ns_ < kLookAgainNs) return Next::kGoOn;
  looked_ns_ = now_ns;
  release_bodies();
  const bool at_leisure = idle && has_answered_ && !memory_.is_measured();
  const auto received = conversation_.receive(idle && !at_leisure ? link::Wait::kBlock : link::Wait::kNever);
  if (received.ok() && *received == link::Received::kEnd) return Next::kStop;
  if (received.ok() && *received == link::Received::kNothing && at_leisure)
    tell_memory(memory_.measure_once());
  if (!received.ok() || !take_frames().ok()) {
    status_ = kExitBroken;
    return Next::kStop;
  }
  return Next::kGoOn;
}

Status ServeLoop::take_frames() {
  while (true) {
    ASSIGN_OR_RETURN(auto frame, conversation_.reader().next());
    if (!frame.has_value()) break;
    switch (frame->header.type) {
      case FrameType::kInfer: queue_.emplace_back().frame = std::move(*frame); break;
      case FrameType::kCancel: cancel(frame->header.id); break;
      case FrameType::kDrain: draining_ = true; break;
      default: return make_error(Code::kCorrupt, "the server said something unexpected");
    }
  }
  return Ok{};
}

/// Bodies stay where they were received until they are parsed.
void ServeLoop::release_bodies() {
  if (queue_.empty())
    conversation_.reader().release_taken();
  else
    conversation_.reader().release_before(queue_.front().frame.position);
}

void ServeLoop::cancel(std::uint64_t id) {
  const auto found =
      std::ranges::find(queue_, id, [](const Waiting& waiting) { return waiting.frame.header.id; });
  if (found == queue_.end()) return;
  answer(*found, Outcome::kNotRun, {});
  queue_.erase(found);
}

/// The body as the caller sent it. kTooLarge means here, and only here, that the API's limit is passed.
Result<ByteView> ServeLoop::body_of(const Waiting& waiting) {
  const std::size_t limit_bytes = waiting.frame.header.count;
  ByteView body = conversation_.reader().payload(waiting.frame);
  if (waiting.frame.descriptor.valid()) {
    ASSIGN_OR_RETURN(mapping_, PaddedMapping::map(waiting.frame.descriptor.get(), limit_bytes));
    body = mapping_.bytes();
  }
  if ((waiting.frame.header.flags & link::kGzip) != 0) {
    ASSIGN_OR_RETURN(inflated_, inflate_gzip(body, limit_bytes));
    return inflated_.view();
  }
  if (body.size() > limit_bytes) return make_error(Code::kTooLarge, "the body is larger than this API takes");
  return body;
}

/// Parsed or answered: afterwards the request's bytes are not needed any more.
void ServeLoop::parse(Waiting& waiting) {
  const auto body = guarded_reading([&] { return body_of(waiting); });
  const bool takes_all = (waiting.frame.header.flags & link::kAllFiles) != 0;
  const AcceptedFiles accepted = takes_all ? AcceptedFiles::kAll : AcceptedFiles::kPerRequest;
  auto parsed = body.ok() ? guarded_reading([&] { return servable_->parse(*body, accepted); })
                          : Result<ParsedRequest>(body.error());
  mapping_ = PaddedMapping();
  inflated_ = InflatedBody();
  waiting.frame.descriptor.reset();
  if (parsed.ok()) {
    waiting.state = Waiting::State::kParsed;
    waiting.request = std::move(*parsed);
    return;
  }
  waiting.state = Waiting::State::kAnswered;
  const bool over_limit = !body.ok() && body.error().code == Code::kTooLarge;
  answer(waiting, over_limit ? Outcome::kTooLarge : outcome_of(parsed.error()), parsed.error().text);
}

void ServeLoop::answer_some() {
  const Stopwatch stopwatch;
  const MonotonicNs started_ns = stopwatch.started_ns();
  std::size_t taken = 0;
  BatchPolicy::Group group = policy_.begin(started_ns);
  for (; taken < queue_.size(); ++taken) {
    Waiting& waiting = queue_[taken];
    const MonotonicNs deadline_ns = waiting.frame.header.time_ns;
    if (deadline_ns > 0 && deadline_ns <= started_ns) {
      answer(waiting, Outcome::kNotRun, {});
      waiting.state = Waiting::State::kAnswered;
      continue;
    }
    if (!group.has_room(deadline_ns)) break;
    if (waiting.state == Waiting::State::kReceived) {
      backstop_.begin(deadline_ns);
      parse(waiting);
    }
    if (waiting.state == Waiting::State::kAnswered) continue;
    if (!group.admits(waiting.request, *servable_)) break;
    group.add(deadline_ns);
  }
  const std::span<Waiting> all(queue_.data(), taken);
  const auto first_answered = std::stable_partition(all.begin(), all.end(), [](const Waiting& waiting) {
    return waiting.state == Waiting::State::kParsed;
  });
  const std::span<Waiting> batch = all.first(static_cast<std::size_t>(first_answered - all.begin()));
  if (!batch.empty()) {
    backstop_.begin(group.deadline_ns());
    run_batch(batch, stopwatch);
    policy_.ran(batch.size(), system_clock().monotonic_ns() - started_ns);
  }
  backstop_.end();
  has_answered_ = true;
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(taken));
}

void ServeLoop::run_batch(std::span<Waiting> batch, const Stopwatch& stopwatch) {
  if (batch.size() == 1) return run_alone(batch.front(), stopwatch);
  rows_.clear();
  for (Waiting& waiting : batch) rows_.push_back(std::move(waiting.request.inputs));
  const std::size_t executor = batch.front().request.executor_index;
  const auto outputs = guarded([&] { return servable_->run_batch(executor, rows_); });
  if (outputs.ok() && outputs->size() == batch.size()) {
    const std::int64_t run_ns = run_ns_of(stopwatch);
    for (std::size_t index = 0; index < batch.size(); ++index)
      answer(batch[index], (*outputs)[index], run_ns, batch.size());
    return;
  }
  // One of them may be to blame: each is tried alone, so that only that one fails.
  for (std::size_t index = 0; index < batch.size(); ++index) {
    batch[index].request.inputs = std::move(rows_[index]);
    run_alone(batch[index], stopwatch);
  }
}

void ServeLoop::run_alone(Waiting& waiting, const Stopwatch& stopwatch) {
  const auto outputs =
      guarded([&] { return servable_->run(waiting.request.executor_index, waiting.request.inputs); });
  if (outputs.ok()) return answer(waiting, *outputs, run_ns_of(stopwatch), 1);
  answer(waiting, outcome_of(outputs.error()), outputs.error().text);
}

void ServeLoop::answer(const Waiting& waiting, std::span<const Tensor> outputs, std::int64_t run_ns,
                       std::size_t shared_by) {
  const link::FrameHeader header{.type = FrameType::kOutcome,
                                 .id = waiting.frame.header.id,
                                 .time_ns = run_ns,
                                 .code = static_cast<std::uint32_t>(Outcome::kOk),
                                 .count = static_cast<std::uint32_t>(shared_by)};
  Bytes& out = conversation_.writer().begin_payload(header);
  const std::size_t before = out.size();
  const Status formatted = guarded([&]() -> Status {
    TRY(servable_->format(waiting.request.executor_index, outputs, out));
    if (out.size() - before > limits::kAnswerBytes)
      return make_error(Code::kTooLarge, "the answer is too large");
    return Ok{};
  });
  if (formatted.ok()) return conversation_.writer().end_payload();
  conversation_.writer().drop_payload();
  answer(waiting, Outcome::kInternal, formatted.error().text);
}

void ServeLoop::answer(const Waiting& waiting, Outcome outcome, std::string_view detail) {
  const link::FrameHeader header{.type = FrameType::kOutcome,
                                 .id = waiting.frame.header.id,
                                 .code = static_cast<std::uint32_t>(outcome),
                                 .count = 1};
  conversation_.writer().add(header, bytes_of(link::cut_detail(detail)));
}

void ServeLoop::tell_memory(std::optional<std::int64_t> bytes) {
  if (bytes.has_value()) conversation_.writer().add({.type = FrameType::kMemory, .time_ns = *bytes});
}

int ServeLoop::run() {
  ReadingMark::watch_signals();
  if (load() == Next::kStop) return status_;
  // Requests may have come together with the package.
  if (!take_frames().ok()) return kExitBroken;
  while (listen() == Next::kGoOn)
    if (!queue_.empty()) answer_some();
  // Giving a model's memory back takes milliseconds, which the others' requests need not wait for. Not at
  // idle priority: on a machine that is always busy the memory would never come back.
  lower_priority(Priority::kLow);
  return status_;
}

}  // namespace

int serve(int socket, MemoryMeter memory, const OpenServable& open) {
  return ServeLoop(socket, std::move(memory), open).run();
}

}  // namespace noren::worker
