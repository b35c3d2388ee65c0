#include "link/channel.h"

#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"

namespace noren::link {
namespace {

struct Pair {
  UniqueFd left, right;
  Pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    left.reset(ends[0]);
    right.reset(ends[1]);
  }
};

std::uint64_t size_behind(const Frame& frame) { return size_of(frame.descriptor.get()).value(); }

TEST(Channel, ManyFramesArriveWithOneReceive) {
  Pair pair;
  FrameWriter writer;
  for (std::uint64_t id = 0; id < 50; ++id)
    writer.add({.type = FrameType::kInfer, .id = id}, bytes_of("body"));
  EXPECT_EQ(send(pair.left.get(), writer, Wait::kBlock).value(), Sent::kAll);
  FrameReader reader(limits::kMiB);
  EXPECT_EQ(receive(pair.right.get(), reader, Wait::kBlock, Descriptors::kRefuse).value(), Received::kBytes);
  for (std::uint64_t id = 0; id < 50; ++id) {
    const auto frame = reader.next().value();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->header.id, id);
    EXPECT_EQ(text_of(reader.payload(*frame)), "body");
  }
  EXPECT_EQ(receive(pair.right.get(), reader, Wait::kNever, Descriptors::kRefuse).value(),
            Received::kNothing);
  pair.left.reset();
  EXPECT_EQ(receive(pair.right.get(), reader, Wait::kBlock, Descriptors::kRefuse).value(), Received::kEnd);
}

TEST(Channel, DescriptorsArriveWithTheirFrames) {
  Pair pair;
  FrameWriter writer;
  for (std::uint64_t id = 0; id < 40; ++id) {
    const Bytes bytes(id + 1, 1);
    writer.add({.type = FrameType::kInfer, .id = id}, bytes_of("x"), sealed_memfd("body", bytes).value());
  }
  EXPECT_EQ(send(pair.left.get(), writer, Wait::kBlock).value(), Sent::kAll);
  FrameReader reader(limits::kMiB);
  std::uint64_t id = 0;
  while (id < 40) {
    const auto frame = reader.next().value();
    if (!frame.has_value()) {
      const auto got = receive(pair.right.get(), reader, Wait::kNever, Descriptors::kAccept);
      ASSERT_EQ(got.value(), Received::kBytes);
      continue;
    }
    EXPECT_EQ(frame->header.id, id);
    EXPECT_EQ(size_behind(*frame), ++id);
  }
}

TEST(Channel, AReceiverThatRefusesDescriptorsGetsNone) {
  Pair pair;
  FrameWriter writer;
  writer.add({.type = FrameType::kInfer}, {}, create_memfd("unwanted").value());
  EXPECT_EQ(send(pair.left.get(), writer, Wait::kBlock).value(), Sent::kAll);
  FrameReader reader(limits::kMiB);
  const int next_free = ::dup(0);
  ::close(next_free);
  EXPECT_EQ(receive(pair.right.get(), reader, Wait::kBlock, Descriptors::kRefuse).value(), Received::kBytes);
  EXPECT_EQ(reader.next().error().code, Code::kCorrupt);
  const int still_free = ::dup(0);
  ::close(still_free);
  EXPECT_EQ(next_free, still_free);
}

TEST(Channel, AFullSocketTakesTheRestLater) {
  Pair pair;
  FrameWriter writer;
  const Bytes large(3 * limits::kMiB, 7);
  writer.add({.type = FrameType::kOutcome, .id = 9}, large, create_memfd("with it").value());
  EXPECT_EQ(send(pair.left.get(), writer, Wait::kNever).value(), Sent::kPart);
  std::thread rest([&] { EXPECT_EQ(send(pair.left.get(), writer, Wait::kBlock).value(), Sent::kAll); });
  FrameReader reader(limits::kFramePayloadBytes);
  std::optional<Frame> frame;
  while (!frame.has_value()) {
    EXPECT_EQ(receive(pair.right.get(), reader, Wait::kBlock, Descriptors::kAccept).value(),
              Received::kBytes);
    frame = reader.next().value();
  }
  rest.join();
  EXPECT_EQ(reader.payload(*frame).size(), large.size());
  EXPECT_TRUE(frame->descriptor.valid());
}

TEST(Channel, ALostPeerIsAnEndNotASignal) {
  Pair pair;
  pair.right.reset();
  FrameWriter writer;
  writer.add({.type = FrameType::kProbe});
  EXPECT_EQ(send(pair.left.get(), writer, Wait::kBlock).value(), Sent::kEnd);
}

}  // namespace
}  // namespace noren::link
