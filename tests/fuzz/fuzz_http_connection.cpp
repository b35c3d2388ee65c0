// A whole connection: heads, bodies of both kinds, pipelined requests, in whatever pieces the bytes arrive.
// Every request gets one answer, in order, and the budget for bodies is empty afterwards.
#include <cstring>

#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "fuzz_input.h"
#include "server/http/listener/connection.h"

namespace noren::server {
namespace {

constexpr std::uint64_t kLimitBytes = 100'000;

struct Handler final : RequestHandler {
  BodyBudget budget;
  std::size_t requests_count = 0;
  std::size_t answers_count = 0;

  RequestTask handle(Exchange& exchange) override {
    ++requests_count;
    Answer answer;
    answer.drop_body_limit_bytes = kLimitBytes;
    if (exchange.head().path == "/early") {
      answer.status = 403;
    } else {
      BodyResult result = co_await exchange.receive_body({kLimitBytes, &budget});
      if (const auto* body = std::get_if<RequestBody>(&result))
        answer.body = std::to_string(body->size_bytes);
      else
        answer.status = 413;
    }
    co_await exchange.send(std::move(answer));
    ++answers_count;
  }
};

/// The fuzzer's bytes, some of them "decrypted already", and a caller that takes every answer.
class FuzzStream final : public ByteStream {
 public:
  FuzzStream(Pieces pieces, StreamOwner& owner) : pieces_(pieces), owner_(owner) {}

  void start_handshake() override {}
  std::size_t take_pending(char* data, std::size_t size) override {
    if (left_.empty()) return 0;
    return take(data, size);
  }
  void start_read(char* data, std::size_t size) override {
    CHECK(data_ == nullptr && size > 0);
    data_ = data;
    size_ = size;
  }
  WriteProgress write_now(std::string_view first, std::string_view second) override {
    CHECK(!closed_);
    written_bytes += first.size() + second.size();
    return {first.size() + second.size(), false, false};
  }
  void start_wait_writable() override { CHECK(!"everything was taken"); }
  void shutdown_send() override {}
  void close() override { closed_ = true; }
  bool is_gone() override { return false; }

  /// False when there is nothing more to say.
  bool turn() {
    if (closed_ || data_ == nullptr) return false;
    char* const data = std::exchange(data_, nullptr);
    if (left_.empty() && !pieces_.empty()) left_ = pieces_.next();
    if (left_.empty()) {
      owner_.on_read(ReadEnd::kEnd, 0);
      return false;
    }
    owner_.on_read(ReadEnd::kBytes, take(data, size_));
    return true;
  }
  bool is_closed() const { return closed_; }
  std::size_t written_bytes = 0;

 private:
  std::size_t take(char* data, std::size_t size) {
    const std::size_t count = std::min(size, left_.size());
    std::memcpy(data, left_.data(), count);
    left_.remove_prefix(count);
    return count;
  }
  Pieces pieces_;
  StreamOwner& owner_;
  std::string_view left_;
  char* data_ = nullptr;
  std::size_t size_ = 0;
  bool closed_ = false;
};

}  // namespace
}  // namespace noren::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren;
  using namespace noren::server;
  static EventLoop loop;
  Handler handler;
  FuzzInput input(data, size);
  const std::string_view sizes = input.take(input.byte() % 8);
  const auto core = std::make_shared<ListenerCore>(loop, system_clock(), ListenerOptions{}, handler);
  const boost::intrusive_ptr<Connection> connection(new Connection(core, IpAddress{}));
  auto owned = std::make_unique<FuzzStream>(Pieces(sizes, input.rest()), *connection);
  FuzzStream& stream = *owned;
  connection->begin(std::move(owned), Connection::Handshake::kNone);
  while (stream.turn()) {
  }
  // A caller that is gone half way leaves nothing behind.
  if (!stream.is_closed()) connection->close();
  CHECK(handler.answers_count <= handler.requests_count);
  CHECK(handler.answers_count == 0 || stream.written_bytes > 0);
  CHECK(handler.budget.used_bytes == 0);
  CHECK(core->connections_count == 0);
  // What the alarm left in the loop goes too.
  loop.context().restart();
  loop.context().poll();
  return 0;
}
