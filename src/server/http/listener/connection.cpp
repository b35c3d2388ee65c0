#include "server/http/listener/connection.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace noren::server {
namespace {

constexpr std::size_t kBufferStartBytes = 4 * limits::kKiB;
constexpr std::size_t kBufferMostBytes = limits::kHttpHeaderBytes + 4 * limits::kKiB;
constexpr std::size_t kKeptBodyBytes = 64 * limits::kKiB;
/// A body that moves less than this in one stall timeout is too slow.
constexpr std::uint64_t kProgressBytes = 16 * limits::kKiB;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr ProtocolFault kHeadTooLarge{431, "The request head is too large"};
constexpr ProtocolFault kNotHttp{400, "Malformed HTTP request"};
constexpr ProtocolFault kTooSlow{408, "The request did not arrive in time"};
constexpr ProtocolFault kBadChunks{400, "Malformed chunked body"};

}  // namespace

Connection::Connection(std::shared_ptr<ListenerCore> core, const IpAddress& remote)
    : core_(std::move(core)), remote_(remote), buffer_(kBufferStartBytes) {
  out_head_.reserve(512);
}

Connection::~Connection() = default;

void Connection::begin(std::unique_ptr<ByteStream> stream, Handshake handshake) {
  stream_ = std::move(stream);
  self_ = boost::intrusive_ptr<Connection>(this);
  core_->joined(*this);
  core_->await(core_->header_list, *this);
  if (handshake == Handshake::kNeeded) return stream_->start_handshake();
  phase_ = Phase::kHead;
  advance();
}

void Connection::on_handshake_done(Alive alive) {
  if (phase_ == Phase::kClosed) return;
  if (alive == Alive::kNo) return close();
  phase_ = Phase::kHead;
  advance();
}

void Connection::on_read(ReadEnd end, std::size_t count) {
  const Reading what = std::exchange(reading_, Reading::kNo);
  if (phase_ == Phase::kClosed) return;
  if (end != ReadEnd::kBytes) return on_end(end);
  took(what, count);
  advance();
}

void Connection::took(Reading what, std::size_t count) {
  switch (what) {
    case Reading::kBuffer: end_ += count; break;
    case Reading::kBody: body_.advance(count); break;
    case Reading::kDropped: drop_left_bytes_ -= std::min<std::uint64_t>(drop_left_bytes_, count); break;
    case Reading::kNo: break;
  }
  progress_bytes_ += count;
  if (progress_bytes_ < kProgressBytes) return;
  progress_bytes_ = 0;
  if (waiting_ == Waiting::kBody || phase_ == Phase::kDropping) core_->await(core_->stall_list, *this);
  if (phase_ == Phase::kLingering) core_->await(core_->linger_list, *this);
}

void Connection::on_end(ReadEnd end) {
  ended_ = true;
  const bool answer_is_under_way = phase_ == Phase::kServing && waiting_ != Waiting::kBody;
  if (end == ReadEnd::kReset || !answer_is_under_way) return close();
  // A caller that closed its sending side may still wait for the answer, or be gone: a probe tells.
  probed_ = false;
  if (waiting_ == Waiting::kNothing) core_->await(core_->probe_list, *this);
}

void Connection::advance() {
  if (advancing_ || running_) return;
  const boost::intrusive_ptr<Connection> self(this);
  advancing_ = true;
  while (phase_ != Phase::kClosed && step() == Step::kAgain) {
  }
  advancing_ = false;
}

Connection::Step Connection::step() {
  switch (phase_) {
    case Phase::kHead: return step_head();
    case Phase::kServing: return step_serving();
    case Phase::kDropping: return step_dropping();
    case Phase::kLingering: return step_lingering();
    case Phase::kHandshake:
    case Phase::kClosed: break;
  }
  return Step::kWait;
}

Connection::Step Connection::step_head() {
  while (scanned_ == 0 && unread().starts_with("\r\n"))
    begin_ += 2;  // old clients put an empty line between requests
  const std::string_view text = unread();
  if (text.empty()) {
    if (core_->draining) {
      close();
      return Step::kWait;
    }
    return read_into_buffer();
  }
  const std::size_t found = text.find("\r\n\r\n", scanned_ < 3 ? 0 : scanned_ - 3);
  if (found != std::string_view::npos && found + 4 <= limits::kHttpHeaderBytes) {
    scanned_ = 0;
    begin_ += found + 4;
    start_request(text.substr(0, found + 4));
    return Step::kAgain;
  }
  const auto first = static_cast<unsigned char>(text.front());
  if (text.size() > limits::kHttpHeaderBytes || first < '!' || first > '~') {
    answer_fault(text.size() > limits::kHttpHeaderBytes ? kHeadTooLarge : kNotHttp);
    return Step::kAgain;
  }
  if (scanned_ == 0) core_->await(core_->header_list, *this);
  scanned_ = text.size();
  return read_into_buffer();
}

void Connection::start_request(std::string_view head_text) {
  leave();
  phase_ = Phase::kServing;
  core_->request_ids.next(request_id_);
  answered_ = send_failed_ = body_begun_ = watches_ = false;
  if (const auto fault = parser_.parse(head_text)) return answer_fault(*fault);
  keep_alive_ = head().keep_alive;
  body_is_read_ = !head().has_body();
  task_ = core_->handler.handle(*this);
  run_task();
}

/// Answers what is no request at all, without a handler, and ends the connection.
void Connection::answer_fault(const ProtocolFault& fault) {
  if (phase_ == Phase::kHead) core_->request_ids.next(request_id_);
  phase_ = Phase::kServing;
  task_.clear();
  waiting_ = Waiting::kNothing;
  keep_alive_ = answered_ = send_failed_ = body_is_read_ = false;
  Answer answer;
  answer.status = fault.status;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = std::string(fault.text) + "\n";
  begin_send(std::move(answer));
}

void Connection::run_task() {
  running_ = true;
  task_.resume();
  running_ = false;
  if (phase_ == Phase::kClosed) task_.clear();
}

void Connection::resume() {
  if (phase_ != Phase::kServing || !task_) return;
  const boost::intrusive_ptr<Connection> self(this);
  leave();
  run_task();
  advance();
}

Connection::Step Connection::step_serving() {
  if (sending_ || waiting_ == Waiting::kPause) return Step::kWait;
  if (waiting_ == Waiting::kBody) {
    if (feed_body() == Fed::kMissing) return Step::kWait;
    if (phase_ != Phase::kServing || !task_) return Step::kAgain;  // the body was no HTTP: answered by us
    waiting_ = Waiting::kNothing;
    leave();
    run_task();
    return Step::kAgain;
  }
  if (!task_ || task_.done()) {
    finish_request();
    return Step::kAgain;
  }
  // The handler waits for something else: see whether the caller hangs up. What it sends meanwhile is the
  // next request.
  const bool head_is_needed = !body_begun_ && !body_is_read_;
  if (head_is_needed || ended_ || reading_ != Reading::kNo) return Step::kWait;
  // Most answers are there before anybody hangs up: a read for each would be one system call too many.
  if (!watches_) {
    if (!DeadlineHook::is_linked()) core_->await(core_->watch_list, *this);
    return Step::kWait;
  }
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size()) return Step::kWait;
  return read_into(buffer_.data() + end_, buffer_.size() - end_, Reading::kBuffer);
}

bool Connection::begin_body(const BodyRules& rules) {
  CHECK(!answered_ && !body_begun_);
  body_begun_ = true;
  const bool says_continue = head().expects_continue && head().is_http_1_1 && begin_ == end_;
  if (body_.begin(head(), rules)) return true;
  if (body_is_read_) return true;
  if (says_continue && stream_->write_now(kContinue, {}).count != kContinue.size()) {
    close();
    return false;
  }
  waiting_ = Waiting::kBody;
  progress_bytes_ = 0;
  if (!head().is_chunked && end_ - begin_ >= body_.missing_bytes()) {
    waiting_ = Waiting::kNothing;
    return feed_known_length() == Fed::kWhole;
  }
  core_->await(core_->stall_list, *this);
  return false;
}

BodyResult Connection::take_body() {
  if (const auto failure = body_.failure()) return *failure;
  Result<RequestBody> body = body_.finish();
  if (!body.ok()) return BodyFailure::kNoRoom;
  return std::move(body).value();
}

Connection::Fed Connection::feed_body() { return head().is_chunked ? feed_chunks() : feed_known_length(); }

Connection::Fed Connection::feed_known_length() {
  for (;;) {
    const std::size_t count = std::min<std::uint64_t>(end_ - begin_, body_.missing_bytes());
    if (count > 0) std::memcpy(body_.room().data(), buffer_.data() + begin_, count);
    begin_ += count;
    body_.advance(count);
    if (body_.missing_bytes() == 0) break;
    if (reading_ != Reading::kNo) return Fed::kMissing;
    const std::span<char> room = body_.room();
    if (read_into(room.data(), room.size(), Reading::kBody) == Step::kWait) return Fed::kMissing;
  }
  body_is_read_ = true;
  return Fed::kWhole;
}

Connection::Fed Connection::feed_chunks() {
  for (;;) {
    const HeadParser::ChunkProgress progress = parser_.feed_chunks(unread(), *this);
    begin_ += progress.consumed_count;
    if (progress.done || body_.failure()) {
      body_is_read_ = progress.done;
      return Fed::kWhole;
    }
    const bool line_too_long = progress.consumed_count == 0 && end_ - begin_ >= limits::kHttpHeaderBytes;
    if (progress.faulty || line_too_long) {
      answer_fault(kBadChunks);
      return Fed::kWhole;
    }
    if (reading_ != Reading::kNo || read_into_buffer() == Step::kWait) return Fed::kMissing;
  }
}

bool Connection::on_chunk(std::uint64_t size_bytes) { return body_.expect(size_bytes); }
void Connection::on_chunk_data(std::string_view data) { body_.append(data); }

After Connection::after_answer() const {
  if (!keep_alive_) return After::kClose;
  return head().is_http_1_1 ? After::kKeepAlive : After::kKeepAliveOldClient;
}

void Connection::begin_pause(MonotonicNs until_ns) {
  waiting_ = Waiting::kPause;
  core_->await_until(core_->pause_list, *this, until_ns);
}

bool Connection::begin_send(Answer answer) {
  CHECK(!answered_);
  answered_ = true;
  leave();
  if (core_->draining || (ended_ && begin_ == end_)) keep_alive_ = false;
  if (keep_alive_ && !body_is_read_) {
    // A caller that waits for "100 Continue" may send its body or not: nobody can tell what comes next.
    const bool unclear = head().is_chunked || head().expects_continue;
    if (unclear || head().content_length_bytes > answer.drop_body_limit_bytes) keep_alive_ = false;
  }
  write_answer_head(out_head_, answer,
                    {core_->date(), request_id(), core_->options.common_header_lines, after_answer()});
  drop_left_bytes_ = answer.drop_body_limit_bytes;
  out_body_ = std::move(answer.body);
  if (task_ && head().method == Method::kHead) out_body_.clear();
  out_sent_ = 0;
  sending_ = true;
  write_on();
  if (sending_) waiting_ = Waiting::kSent;
  return !sending_;
}

void Connection::write_on() {
  const std::size_t total = out_head_.size() + out_body_.size();
  for (;;) {
    const std::size_t of_head = std::min(out_sent_, out_head_.size());
    const WriteProgress progress = stream_->write_now(
        std::string_view(out_head_).substr(of_head), std::string_view(out_body_).substr(out_sent_ - of_head));
    out_sent_ += progress.count;
    if (progress.gone) send_failed_ = true;
    if (progress.gone || (out_sent_ == total && !progress.held)) break;
    if (progress.count > 0 && !progress.held) continue;
    if (progress.count > 0 || !waiting_writable_) core_->await(core_->stall_list, *this);
    if (!waiting_writable_) stream_->start_wait_writable();
    waiting_writable_ = true;
    return;
  }
  sending_ = false;
  leave();
}

void Connection::on_writable(Alive alive) {
  waiting_writable_ = false;
  if (phase_ == Phase::kClosed) return;
  if (alive == Alive::kNo) return close();
  if (!sending_) return;
  write_on();
  if (sending_) return;
  waiting_ = Waiting::kNothing;
  const boost::intrusive_ptr<Connection> self(this);
  if (task_ && !task_.done()) run_task();
  advance();
}

/// The handler is done, or there was none.
void Connection::finish_request() {
  CHECK(answered_);
  const bool had_handler = static_cast<bool>(task_);
  task_.clear();
  body_.clear();
  if (out_body_.capacity() > kKeptBodyBytes) out_body_ = {};
  if (send_failed_) return close();
  if (!keep_alive_) {
    const bool more_may_come = !body_is_read_ || begin_ != end_ || !had_handler;
    return more_may_come && !ended_ ? linger() : close();
  }
  if (!body_is_read_) {
    drop_left_bytes_ = head().content_length_bytes;
    phase_ = Phase::kDropping;
    progress_bytes_ = 0;
    core_->await(core_->stall_list, *this);
    return;
  }
  phase_ = Phase::kHead;
  core_->await(core_->idle_list, *this);
}

Connection::Step Connection::step_dropping() {
  const std::size_t count = std::min<std::uint64_t>(end_ - begin_, drop_left_bytes_);
  begin_ += count;
  drop_left_bytes_ -= count;
  if (drop_left_bytes_ == 0) {
    phase_ = Phase::kHead;
    core_->await(core_->idle_list, *this);
    return Step::kAgain;
  }
  if (reading_ != Reading::kNo) return Step::kWait;
  return read_into(core_->dropped.data(), std::min<std::uint64_t>(core_->dropped.size(), drop_left_bytes_),
                   Reading::kDropped);
}

void Connection::linger() {
  phase_ = Phase::kLingering;
  progress_bytes_ = 0;
  stream_->shutdown_send();
  core_->await(core_->linger_list, *this);
}

Connection::Step Connection::step_lingering() {
  drop_left_bytes_ -= std::min<std::uint64_t>(drop_left_bytes_, end_ - begin_);
  begin_ = end_;
  if (drop_left_bytes_ == 0) {
    close();
    return Step::kWait;
  }
  if (reading_ != Reading::kNo) return Step::kWait;
  return read_into(core_->dropped.data(), core_->dropped.size(), Reading::kDropped);
}

Connection::Step Connection::read_into_buffer() {
  if (reading_ != Reading::kNo) return Step::kWait;
  if (begin_ == end_) begin_ = end_ = 0;
  if (begin_ > 0 && buffer_.size() - end_ < kBufferStartBytes / 2) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(std::min(2 * buffer_.size(), kBufferMostBytes));
  CHECK(end_ < buffer_.size());
  return read_into(buffer_.data() + end_, buffer_.size() - end_, Reading::kBuffer);
}

Connection::Step Connection::read_into(char* data, std::size_t size, Reading what) {
  if (ended_) {
    close();
    return Step::kWait;
  }
  if (const std::size_t count = stream_->take_pending(data, size); count > 0) {
    took(what, count);
    return Step::kAgain;
  }
  reading_ = what;
  stream_->start_read(data, size);
  return Step::kWait;
}

void Connection::on_due() {
  const boost::intrusive_ptr<Connection> self(this);
  if (phase_ == Phase::kServing && waiting_ == Waiting::kPause) {
    waiting_ = Waiting::kNothing;
    return resume();
  }
  if (phase_ == Phase::kServing && !sending_ && waiting_ == Waiting::kNothing) {
    if (ended_) return probe_half_closed();
    watches_ = true;
    return advance();
  }
  const bool half_a_head = phase_ == Phase::kHead && begin_ != end_;
  const bool half_a_body = phase_ == Phase::kServing && waiting_ == Waiting::kBody;
  if (!half_a_head && !half_a_body) return close();
  answer_fault(kTooSlow);
  advance();
}

void Connection::probe_half_closed() {
  // An interim answer changes nothing for a caller that waits; where nobody waits any more, a reset comes
  // back.
  if (!probed_ && head().is_http_1_1 && stream_->write_now(kContinue, {}).count != kContinue.size())
    return close();
  if (probed_ && stream_->is_gone()) return close();
  probed_ = true;
  core_->await(core_->probe_list, *this);
}

void Connection::wind_up() {
  if (phase_ == Phase::kHandshake || (phase_ == Phase::kHead && begin_ == end_)) close();
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  const boost::intrusive_ptr<Connection> self = std::move(self_);
  phase_ = Phase::kClosed;
  leave();
  MemberHook::unlink();
  stream_->close();
  if (!running_) task_.clear();
  body_.clear();
  core_->left();
}

}  // namespace noren::server
