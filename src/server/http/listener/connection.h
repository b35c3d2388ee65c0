// One connection: reads heads, runs a handler for each, writes answers, in order. All of it on the event
// loop.
//
//   kHandshake → kHead ⇄ kServing → (kDropping: what is left of a body) → kHead …
//   any → kLingering (answer sent, the rest of what comes is dropped, so that the caller sees the answer) →
//   kClosed
//
// One read and one wait-for-room are under way at most. While a handler waits for something else than bytes
// for more than a moment, a read watches for the caller hanging up.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "server/http/listener/body_receiver.h"
#include "server/http/listener/head_parser.h"
#include "server/http/listener/listener_core.h"
#include "server/http/listener/stream.h"

namespace noren::server {

class Connection final : public StreamOwner,
                         public Exchange,
                         public DeadlineHook,
                         public MemberHook,
                         private ChunkSink {
 public:
  Connection(std::shared_ptr<ListenerCore> core, const IpAddress& remote);
  ~Connection() override;
  enum class Handshake : std::uint8_t { kNone, kNeeded };
  void begin(std::unique_ptr<ByteStream> stream, Handshake handshake);

  /// A deadline of the list that it is in has passed.
  void on_due();
  /// The server stops: closes now if nothing is under way, else after the answer.
  void wind_up();
  void close();

  const RequestHead& head() const override { return parser_.head(); }
  std::string_view request_id() const override { return {request_id_.data(), request_id_.size()}; }
  const IpAddress& remote_address() const override { return remote_; }
  void resume() override;

 private:
  enum class Phase : std::uint8_t { kHandshake, kHead, kServing, kDropping, kLingering, kClosed };
  enum class Waiting : std::uint8_t { kNothing, kBody, kPause, kSent };
  enum class Step : std::uint8_t { kAgain, kWait };
  enum class Reading : std::uint8_t { kNo, kBuffer, kBody, kDropped };

  bool begin_body(const BodyRules& rules) override;
  BodyResult take_body() override;
  void begin_pause(MonotonicNs until_ns) override;
  bool begin_send(Answer answer) override;
  bool was_sent() const override { return !send_failed_; }

  void on_handshake_done(Alive alive) override;
  void on_read(ReadEnd end, std::size_t count) override;
  void on_writable(Alive alive) override;
  bool on_chunk(std::uint64_t size_bytes) override;
  void on_chunk_data(std::string_view data) override;

  void advance();
  Step step();
  Step step_head();
  Step step_serving();
  Step step_dropping();
  Step step_lingering();

  void start_request(std::string_view head_text);
  void answer_fault(const ProtocolFault& fault);
  void run_task();
  void finish_request();
  enum class Fed : std::uint8_t { kMissing, kWhole };
  Fed feed_body();
  Fed feed_known_length();
  Fed feed_chunks();
  void on_end(ReadEnd end);
  void probe_half_closed();
  void write_on();
  void linger();
  /// kAgain: bytes were there already. kWait: on_read follows.
  Step read_into_buffer();
  Step read_into(char* data, std::size_t size, Reading what);
  void took(Reading what, std::size_t count);
  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  After after_answer() const;

  std::shared_ptr<ListenerCore> core_;
  boost::intrusive_ptr<Connection> self_;  ///< until close(): nothing else may hold it while a handler waits
  std::unique_ptr<ByteStream> stream_;
  IpAddress remote_;
  Phase phase_ = Phase::kHandshake;

  std::vector<char> buffer_;
  std::size_t begin_ = 0;  ///< unread bytes are buffer_[begin_, end_)
  std::size_t end_ = 0;
  std::size_t scanned_ = 0;  ///< of the unread bytes, for the end of the head
  Reading reading_ = Reading::kNo;
  bool ended_ = false;  ///< the caller sends no more
  bool watches_ = false;
  bool body_is_read_ = true;
  bool body_begun_ = false;
  std::uint64_t drop_left_bytes_ = 0;
  std::uint64_t progress_bytes_ = 0;  ///< since the stall deadline was last moved

  HeadParser parser_;
  BodyReceiver body_;
  std::array<char, RequestIds::kSize> request_id_{};
  RequestTask task_;
  Waiting waiting_ = Waiting::kNothing;
  bool running_ = false;
  bool advancing_ = false;

  std::string out_head_;
  std::string out_body_;
  std::size_t out_sent_ = 0;
  bool sending_ = false;
  bool waiting_writable_ = false;
  bool answered_ = false;
  bool send_failed_ = false;
  bool keep_alive_ = true;
  bool probed_ = false;
};

}  // namespace noren::server
