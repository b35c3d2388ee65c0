// What the local host does for imports: a file goes in, a description and a sealed package come out, or why
// not.
#include <unistd.h>

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

}  // namespace
}  // namespace noren::server
