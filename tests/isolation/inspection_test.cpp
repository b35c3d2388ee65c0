// What the local host does for imports: a file goes in, a description and a sealed package come out, or why
// not.
#include <unistd.h>

#include <csignal>

#include "host_fixture.h"

namespace noren::server {
namespace {

class LocalInspection : public HostTest {
 protected:
  /// Leaves what came of it in `result`.
  void inspect(std::string_view text, InspectSpec spec) {
    spec.file = sealed_memfd("file", bytes_of(text)).value();
    result.reset();
    host->inspect(std::move(spec), [this](Result<Inspection> inspected) { result = std::move(inspected); });
    EXPECT_TRUE(until([this] { return result.has_value(); }));
  }

  std::optional<Result<Inspection>> result;
};

TEST_F(LocalInspection, Inspects) {
  const auto inspect = [this](std::string_view text, std::int64_t deadline_ms = 0) {
    InspectSpec spec;
    spec.file_name = "a.nnp";
    spec.deadline_ms = deadline_ms;
    LocalInspection::inspect(text, std::move(spec));
  };
  inspect("model x");
  ASSERT_TRUE(result->ok());
  EXPECT_EQ((*result)->description_json, "{\"file\":\"a.nnp\"}");
  EXPECT_EQ(text_of(Mapping::map((*result)->package.get())->bytes()), "model x");
  EXPECT_LT(::write((*result)->package.get(), "x", 1), 0);
  inspect("poison network 'a'");
  EXPECT_EQ(result->error().text, "poisoned: network 'a'");
  inspect("crash");
  EXPECT_EQ(result->error().code, Code::kCorrupt);
  inspect("burn 1000000", 200);
  EXPECT_EQ(result->error().code, Code::kDeadlineExceeded);
#ifndef NOREN_SANITIZED
  inspect("memory 100000");
  EXPECT_EQ(result->error().code, Code::kTooLarge);
  inspect("attack fork");
  EXPECT_EQ(result->error().code, Code::kCorrupt);
#endif
}

TEST_F(LocalInspection, TakesResultsApart) {
  const auto unpack = [this](std::string_view text) {
    InspectSpec spec;
    spec.file_name = "a.zip";
    spec.task = InspectSpec::Task::kResults;
    inspect(text, std::move(spec));
  };
  unpack("parts a b c");
  ASSERT_TRUE(result->ok());
  EXPECT_EQ((*result)->description_json, "{\"parts\":\"a.zip\"}");
  EXPECT_EQ(text_of(Mapping::map((*result)->package.get())->bytes()), "abc");
  EXPECT_LT(::write((*result)->package.get(), "x", 1), 0);
  unpack("crash");
  EXPECT_EQ(result->error().code, Code::kCorrupt);
#ifndef NOREN_SANITIZED
  unpack("memory 100000");
  EXPECT_EQ(result->error().code, Code::kTooLarge);
#endif
}

/// With a worker that serves, so that there is a zygote which forks at once.
class ManyInspections : public HostTest {
 protected:
  struct Asked {
    std::shared_ptr<HangUp> hang_up = std::make_shared<HangUp>();
    std::optional<Result<Inspection>> result;
  };

  void SetUp() override {
    instances_.push_back(start(listener_));
    ASSERT_TRUE(until([&] { return listener_.ready.has_value(); }));
    zygote_ = zygote();
  }
  void begin(Asked& asked, std::string_view text) {
    InspectSpec spec;
    spec.file = sealed_memfd("file", bytes_of(text)).value();
    spec.hang_up = asked.hang_up;
    host->inspect(std::move(spec), [&](Result<Inspection> result) { asked.result = std::move(result); });
  }
  /// The workers that inspect, with those that still die.
  std::size_t workers_count() { return children_of(zygote_).size() - instances_.size(); }

  Remembering listener_;
  std::vector<std::unique_ptr<Instance>> instances_;
  pid_t zygote_ = 0;
};

TEST_F(ManyInspections, AResultDoesNotWaitForTheBurialOfItsWorker) {
  Asked asked;
  begin(asked, "rest 500");
  ASSERT_TRUE(until([&] { return workers_count() == 1; }));
  ASSERT_EQ(::kill(zygote_, SIGSTOP), 0);
  const bool is_answered = until([&] { return asked.result.has_value(); }, 20);
  ASSERT_EQ(::kill(zygote_, SIGCONT), 0);
  EXPECT_TRUE(is_answered);
  EXPECT_TRUE(until([&] { return workers_count() == 0; }));
}

TEST_F(ManyInspections, OneThatNobodyWaitsForIsKilled) {
  Asked asked;
  begin(asked, "rest 600000");
  ASSERT_TRUE(until([&] { return workers_count() == 1; }));
  asked.hang_up->tell();
  ASSERT_TRUE(until([&] { return asked.result.has_value(); }));
  EXPECT_EQ(asked.result->error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(until([&] { return workers_count() == 0; }));
  Asked late;
  late.hang_up->tell();
  begin(late, "rest 600000");
  ASSERT_TRUE(until([&] { return late.result.has_value(); }));
  EXPECT_EQ(late.result->error().code, Code::kFailedPrecondition);
}

TEST_F(ManyInspections, WorkersAreBoundedWithThoseThatStillDie) {
  std::vector<Asked> asked(kInspectingCount + 2);
  for (Asked& each : asked) begin(each, "rest 600000");
  // The zygote forks in order, so nothing more comes of what was asked before.
  Remembering listener;
  instances_.push_back(start(listener));
  ASSERT_TRUE(until([&] { return listener.ready.has_value(); }));
  EXPECT_EQ(workers_count(), kInspectingCount);
  asked[kInspectingCount].hang_up->tell();  // it has no worker yet
  for (std::size_t i = 0; i < kInspectingCount; ++i) asked[i].hang_up->tell();
  ASSERT_TRUE(until([&] { return asked[kInspectingCount].result.has_value(); }));
  ASSERT_TRUE(until([&] { return workers_count() == 1; }));
  EXPECT_FALSE(asked.back().result.has_value()) << "its caller waits";
  asked.back().hang_up->tell();
  ASSERT_TRUE(until([&] { return asked.back().result.has_value() && workers_count() == 0; }));
}

}  // namespace
}  // namespace noren::server
