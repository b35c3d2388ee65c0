// A request's head and its chunked body. The views in the head lie in the text; whatever pieces a chunked
// body arrives in, what comes of it is the same; the receiver keeps to its limit and gives its budget back.
#include <cstring>

#include <unistd.h>

#include "base/check.h"
#include "fuzz_input.h"
#include "server/http/listener/body_receiver.h"
#include "server/http/listener/head_parser.h"

namespace noren::server {
namespace {

/// Each piece counts this often, so that small inputs make bodies that pass from the buffer to a memory file.
constexpr int kTimes = 64;
constexpr std::uint64_t kLimitBytes = 200'000;

struct Sink final : ChunkSink {
  BodyReceiver receiver;
  std::string text;
  bool on_chunk(std::uint64_t size_bytes) override { return receiver.expect(size_bytes); }
  void on_chunk_data(std::string_view data) override {
    text += data;
    for (int i = 0; i < kTimes; ++i) receiver.append(data);
  }
};

struct Outcome {
  bool done = false;
  bool faulty = false;
  std::string text;
  bool operator==(const Outcome&) const = default;
};

void check_within(std::string_view part, std::string_view text) {
  CHECK(part.empty() || part == "/" ||
        (part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size()));
}

void check_body(BodyReceiver& receiver, const std::string& text) {
  if (receiver.failure()) {
    CHECK(text.size() * kTimes > kLimitBytes);
    return;
  }
  CHECK(receiver.received_bytes() == text.size() * kTimes);
  const auto body = receiver.finish();
  CHECK(body.ok() && body->size_bytes == text.size() * kTimes && body->size_bytes <= kLimitBytes);
  if (body->memfd.valid())
    CHECK(size_of(body->memfd.get()).value() == body->size_bytes);
  else
    CHECK(body->inline_bytes.size() == body->size_bytes);
}

Outcome receive(std::string_view head, Pieces pieces) {
  HeadParser parser;
  CHECK(!parser.parse(head));
  BodyBudget budget;
  budget.limit_bytes = 2 * kLimitBytes;
  Sink sink;
  sink.receiver.begin(parser.head(), BodyRules{kLimitBytes, &budget});
  Outcome outcome;
  std::string unread;
  while (!pieces.empty() && !outcome.done && !outcome.faulty) {
    unread += pieces.next();
    // A block of its own size, so that a read behind its end is seen.
    const std::vector<char> exact(unread.begin(), unread.end());
    const auto progress = parser.feed_chunks({exact.data(), exact.size()}, sink);
    CHECK(progress.consumed_count <= unread.size());
    unread.erase(0, progress.consumed_count);
    outcome.done = progress.done;
    outcome.faulty = progress.faulty;
  }
  outcome.text = sink.text;
  CHECK(budget.used_bytes <= budget.limit_bytes);
  if (outcome.done) check_body(sink.receiver, sink.text);
  sink.receiver.clear();
  CHECK(budget.used_bytes == 0);
  return outcome;
}

}  // namespace
}  // namespace noren::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren;
  using namespace noren::server;
  FuzzInput input(data, size);
  const std::string_view sizes = input.take(input.byte() % 8);
  const std::string_view text = input.rest();
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || end + 4 > limits::kHttpHeaderBytes) return 0;
  const std::vector<char> exact(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end + 4));
  const std::string_view head(exact.data(), exact.size());
  HeadParser parser;
  if (const auto fault = parser.parse(head)) {
    CHECK(fault->status >= 400 && fault->status < 600 && !fault->text.empty());
    return 0;
  }
  for (const std::string_view part :
       {parser.head().path, parser.head().query, parser.head().api_key, parser.head().authorization,
        parser.head().content_type, parser.head().idempotency_key, parser.head().method_text})
    check_within(part, head);
  if (!parser.head().is_chunked) return 0;
  CHECK(parser.head().content_length_bytes == 0);
  const std::string_view body = text.substr(end + 4);
  const Outcome whole = receive(head, Pieces({}, body));
  const Outcome cut = receive(head, Pieces(sizes, body));
  CHECK(whole.done == cut.done && (!whole.done || whole == cut));
  return 0;
}
