// What the server makes of a hostile worker's words: frames through a real socket into an instance, an
// inspection or a probe. Whatever comes, a listener hears only of what it asked for, in bounds, and of one
// end.
#include <algorithm>
#include <set>

#include <poll.h>
#include <sys/socket.h>
#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "base/limits.h"
#include "fuzz_input.h"
#include "server/instances/local/local_inspection.h"
#include "server/instances/local/local_instance.h"

namespace noren::server {
namespace {

constexpr std::uint64_t kCallsCount = 4;

struct Auditor final : InstanceListener {
  std::set<std::uint64_t> open_calls;
  bool is_ready = false;
  int ends_count = 0;

  void on_ready(const LoadReport& report) override {
    CHECK(!is_ready && ends_count == 0 && report.private_bytes >= 0 && report.load_ns >= 0);
    is_ready = true;
  }
  void on_outcome(std::uint64_t call_id, CallOutcome outcome) override {
    CHECK(is_ready && ends_count == 0 && open_calls.erase(call_id) == 1);
    CHECK(outcome.code == OutcomeCode::kOk || outcome.bytes.size() <= limits::kDetailBytes);
    CHECK(outcome.run_ns >= 0 && outcome.batch_size >= 1);
  }
  void on_memory(std::int64_t private_bytes) override {
    CHECK(is_ready && ends_count == 0 && private_bytes >= 0);
  }
  void on_exit(const ExitReport&) override { CHECK(++ends_count == 1); }
};

/// One child of the host with its socket, and nobody but the fuzzer at the other end.
class Stage {
 public:
  explicit Stage(std::string_view words) : words_(words) {
    int pair[2];
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    ours_ = UniqueFd(pair[0]);
    theirs_ = UniqueFd(pair[1]);
  }

  void play(const std::shared_ptr<LocalChild>& child) {
    CHECK(!child->waits_for_host() || child->take_socket().valid());
    while (!words_.empty()) {
      const ssize_t sent = ::send(theirs_.get(), words_.data(), words_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) words_.remove_prefix(static_cast<std::size_t>(sent));
      turn();
      if (sent < 0 && errno != EAGAIN) break;  // the server has hung up
    }
    theirs_.reset();
    turn();
    child->on_exited(0, 9);
    turn();
  }
  void attach(const std::shared_ptr<LocalChild>& child) {
    UniqueFd socket(::fcntl(theirs_.get(), F_DUPFD_CLOEXEC, 0));
    child->attach(
        std::make_shared<FrameStream>(io, std::move(ours_), limits::kAnswerBytes, link::Descriptors::kRefuse),
        std::move(socket), [](std::uint64_t) {});
  }
  void turn() {
    io.restart();
    io.poll();
  }

  boost::asio::io_context io{1};

 private:
  std::string_view words_;
  UniqueFd ours_;
  UniqueFd theirs_;
};

void serve(std::string_view words) {
  Stage stage(words);
  Auditor auditor;
  InstanceSpec spec;
  spec.package = std::make_shared<UniqueFd>(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto child = std::make_shared<ServingChild>(1, spec, LocalHostOptions(), auditor);
  stage.attach(child);
  child->load(spec);
  RequestBody body;
  body.inline_bytes = "{}";
  for (std::uint64_t id = 1; id <= kCallsCount; ++id) {
    auditor.open_calls.insert(id);
    child->call(id, body, 0);
  }
  child->cancel(kCallsCount);
  stage.play(child);
  CHECK(auditor.ends_count == 1);
}

void inspect(std::string_view words) {
  Stage stage(words);
  int answers_count = 0;
  const auto child = std::make_shared<InspectingChild>(1, stage.io, 0, [&](Result<Inspection> result) {
    ++answers_count;
    CHECK(!result.ok() || result->description_json.size() <= limits::kDescriptionBytes);
    CHECK(result.ok() || result.error().text.size() <= limits::kDetailBytes);
  });
  stage.attach(child);
  InspectSpec spec;
  spec.file = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  child->begin(std::move(spec), create_memfd("package").value());
  stage.play(child);
  CHECK(answers_count == 1);
}

void probe(std::string_view words) {
  Stage stage(words);
  int answers_count = 0;
  const auto child = std::make_shared<ProbingChild>(1, [&] { ++answers_count; });
  stage.attach(child);
  child->begin();
  stage.play(child);
  CHECK(answers_count <= 1);
}

}  // namespace
}  // namespace noren::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  noren::FuzzInput input(data, size);
  switch (input.byte() % 4) {
    case 0: noren::server::inspect(input.rest()); break;
    case 1: noren::server::probe(input.rest()); break;
    default: noren::server::serve(input.rest());
  }
  return 0;
}
