#include <gtest/gtest.h>

#include "worker/engine/engine.h"
#include "worker/engine/package.h"

namespace noren::worker {
namespace {

ModelSignature small_signature() {
  ModelSignature signature;
  ExecutorSignature& executor = signature.executors.emplace_back();
  executor.name = "Executor";
  executor.inputs.push_back({.name = "x", .variable = "Input", .graph_name = "x", .shape = {1, 4}});
  executor.outputs.push_back({.name = "y'", .variable = "Softmax", .graph_name = "y", .shape = {1, 3}});
  executor.evaluations_count = 3;
  return signature;
}

TEST(Engine, WarmsUp) { EXPECT_TRUE(warm_up_engine().ok()); }

TEST(Engine, RefusesGarbageWithoutSayingWhereItsSourcesAre) {
  const auto session = open_session(bytes_of("not a model"), {});
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().code, Code::kInvalidArgument);
  EXPECT_EQ(session.error().text.find(".cc"), std::string::npos) << session.error().text;
}

TEST(Package, ReadsBackWhatWasWritten) {
  const Bytes bytes = encode_package(small_signature(), {Bytes{1, 2, 3}});
  const auto package = decode_package(bytes);
  ASSERT_TRUE(package.ok()) << describe(package.error());
  const ExecutorSignature& executor = package->signature.executors.at(0);
  EXPECT_EQ(executor.inputs.at(0).name, "x");
  EXPECT_EQ(executor.inputs.at(0).shape, (Shape{1, 4}));
  EXPECT_EQ(executor.outputs.at(0).name, "y'");
  EXPECT_EQ(executor.evaluations_count, 3);
  EXPECT_EQ(Bytes(package->models[0].begin(), package->models[0].end()), (Bytes{1, 2, 3}));
}

TEST(Package, RefusesEveryTruncation) {
  const Bytes bytes = encode_package(small_signature(), {Bytes{1, 2, 3}});
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_package(ByteView(bytes).first(size)).ok()) << size;
}

}  // namespace
}  // namespace noren::worker
