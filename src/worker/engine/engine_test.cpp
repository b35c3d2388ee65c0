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

#ifndef NOREN_SANITIZED  // where AddressSanitizer ends the program instead of letting `new` throw
TEST(Engine, SaysThatMemoryRanOutAndNothingOfItsSources) {
  // y = Expand(x, [2^21, 2^21])
  const Bytes model = {0x08, 0x08, 0x3a, 0x64, 0x0a, 0x22, 0x0a, 0x01, 0x78, 0x0a, 0x01, 0x73, 0x12, 0x01,
                       0x79, 0x1a, 0x0f, 0x74, 0x68, 0x65, 0x20, 0x45, 0x78, 0x70, 0x61, 0x6e, 0x64, 0x20,
                       0x6f, 0x66, 0x20, 0x79, 0x22, 0x06, 0x45, 0x78, 0x70, 0x61, 0x6e, 0x64, 0x12, 0x05,
                       0x67, 0x72, 0x61, 0x70, 0x68, 0x2a, 0x19, 0x08, 0x02, 0x10, 0x07, 0x42, 0x01, 0x73,
                       0x4a, 0x10, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00,
                       0x00, 0x00, 0x00, 0x00, 0x5a, 0x0f, 0x0a, 0x01, 0x78, 0x12, 0x0a, 0x0a, 0x08, 0x08,
                       0x01, 0x12, 0x04, 0x0a, 0x02, 0x08, 0x01, 0x62, 0x0b, 0x0a, 0x01, 0x79, 0x12, 0x06,
                       0x0a, 0x04, 0x08, 0x01, 0x12, 0x00, 0x42, 0x02, 0x10, 0x11};
  const auto session = open_session(model, {});
  ASSERT_TRUE(session.ok()) << describe(session.error());
  const Tensor input = Tensor::from_floats({1}, {1.0F});
  const auto outputs = (*session)->run(std::span(&input, 1));
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.error().code, Code::kExhausted);
  EXPECT_EQ(outputs.error().text, "the model needs more memory than its limit allows");
}
#endif

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
