#include "link/frame_buffers.h"

#include <algorithm>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace noren::link {
namespace {

struct Sent {
  FrameHeader header;
  Bytes payload;
};

Sent random_frame(std::mt19937& random, std::size_t payload_bytes) {
  Sent frame;
  frame.header.type = static_cast<FrameType>(1 + random() % static_cast<unsigned>(kLastFrameType));
  frame.header.flags = static_cast<std::uint16_t>(random()) & (kGzip | kAllFiles);
  frame.header.id = (std::uint64_t{random()} << 32) | random();
  frame.header.time_ns = static_cast<std::int64_t>((std::uint64_t{random()} << 32) | random());
  frame.header.code = static_cast<std::uint32_t>(random());
  frame.header.count = static_cast<std::uint32_t>(random());
  frame.payload.resize(payload_bytes);
  for (auto& byte : frame.payload) byte = static_cast<std::uint8_t>(random());
  return frame;
}

void feed(FrameReader& reader, ByteView bytes) {
  while (!bytes.empty()) {
    const auto room = reader.writable();
    const std::size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    reader.commit(count);
    bytes = bytes.subspan(count);
  }
}

Bytes bytes_of_frame(const Sent& frame) {
  FrameWriter writer;
  writer.add(frame.header, frame.payload);
  const ByteView bytes = writer.chunk().bytes;
  return {bytes.begin(), bytes.end()};
}

void expect_equal(const FrameReader& reader, const Frame& got, const Sent& sent) {
  EXPECT_EQ(got.header.type, sent.header.type);
  EXPECT_EQ(got.header.flags, sent.header.flags);
  EXPECT_EQ(got.header.id, sent.header.id);
  EXPECT_EQ(got.header.time_ns, sent.header.time_ns);
  EXPECT_EQ(got.header.code, sent.header.code);
  EXPECT_EQ(got.header.count, sent.header.count);
  const ByteView payload = reader.payload(got);
  EXPECT_TRUE(std::ranges::equal(payload, sent.payload));
  unsigned sum = 0;  // readable: a sanitizer stops here where the padding is missing
  for (std::size_t index = 0; index < limits::kFramePaddingBytes; ++index)
    sum += static_cast<const volatile std::uint8_t*>(payload.data())[payload.size() + index];
  static_cast<void>(sum);
}

TEST(Frames, ComeOutAsTheyWentInHoweverTheStreamIsCut) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    std::vector<Sent> sent;
    Bytes stream;
    for (unsigned index = 0; index < 30; ++index) {
      sent.push_back(random_frame(random, random() % 5 == 0 ? random() % 100'000 : random() % 200));
      const Bytes bytes = bytes_of_frame(sent.back());
      stream.insert(stream.end(), bytes.begin(), bytes.end());
    }
    FrameReader reader(limits::kMiB);
    std::size_t taken = 0;
    std::size_t offset = 0;
    std::vector<Frame> held;  // payloads must survive further receives until they are released
    while (offset < stream.size()) {
      const std::size_t count = std::min<std::size_t>(stream.size() - offset, 1 + random() % 9'000);
      feed(reader, ByteView(stream).subspan(offset, count));
      offset += count;
      while (true) {
        auto next = reader.next();
        ASSERT_TRUE(next.ok());
        if (!next->has_value()) break;
        held.push_back(std::move(**next));
        ++taken;
      }
      for (std::size_t index = 0; index < held.size(); ++index)
        expect_equal(reader, held[index], sent[taken - held.size() + index]);
      if (random() % 3 == 0) {
        held.clear();
        reader.release_taken();
      }
    }
    EXPECT_EQ(taken, sent.size());
    EXPECT_EQ(reader.pending_bytes(), 0U);
  }
}

TEST(Frames, HeaderOnTheWireIsFixed) {
  FrameHeader header{FrameType::kInfer,  kGzip,      0x01020304, 0x1112131415161718,
                     0x2122232425262728, 0x31323334, 0x41424344};
  std::array<std::uint8_t, kHeaderBytes> bytes{};
  encode_header(header, bytes);
  const std::array<std::uint8_t, kHeaderBytes> expected = {
      1,    7,    2,    0,    4,    3,    2,    1,    0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
      0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 0x44, 0x43, 0x42, 0x41};
  EXPECT_EQ(bytes, expected);
}

TEST(Frames, WhatIsNoFrameIsCorrupt) {
  std::array<std::uint8_t, kHeaderBytes> good{};
  encode_header({.type = FrameType::kOutcome, .payload_bytes = 100}, good);
  EXPECT_TRUE(decode_header(good, 100).ok());
  EXPECT_EQ(decode_header(good, 99).error().code, Code::kCorrupt);
  for (const auto& [offset, value] : std::vector<std::pair<std::size_t, int>>{
           {0, 0}, {0, 2}, {1, 0}, {1, static_cast<int>(kLastFrameType) + 1}, {1, 255}, {2, 8}, {3, 1}}) {
    auto bad = good;
    bad[offset] = static_cast<std::uint8_t>(value);
    EXPECT_EQ(decode_header(bad, 100).error().code, Code::kCorrupt) << offset << " " << value;
  }
}

TEST(Frames, RandomBytesNeverDoMoreThanEndThePeer) {
  for (unsigned seed = 0; seed < 3'000; ++seed) {
    std::mt19937 random(seed);
    Bytes stream = bytes_of_frame(random_frame(random, random() % 300));
    const Bytes second = bytes_of_frame(random_frame(random, random() % 300));
    stream.insert(stream.end(), second.begin(), second.end());
    for (unsigned index = 0; index < 1 + random() % 4; ++index)
      stream[random() % stream.size()] = static_cast<std::uint8_t>(random());
    FrameReader reader(1'000);
    feed(reader, stream);
    while (true) {
      auto next = reader.next();
      if (!next.ok() || !next->has_value()) break;
      EXPECT_LE(reader.payload(**next).size(), 1'000U);
    }
  }
}

TEST(Frames, APromiseOfManyBytesCostsNoMemory) {
  std::array<std::uint8_t, kHeaderBytes> header{};
  encode_header({.type = FrameType::kOutcome, .payload_bytes = limits::kFramePayloadBytes}, header);
  FrameReader reader(limits::kFramePayloadBytes);
  feed(reader, header);
  EXPECT_FALSE(reader.next().value().has_value());
  EXPECT_LE(reader.writable().size(), 64 * limits::kKiB);
}

TEST(Frames, ADescriptorBelongsToItsFrame) {
  FrameReader reader(1'000);
  FrameWriter writer;
  FrameHeader header{.type = FrameType::kInfer, .id = 1};
  writer.add(header);
  header.id = 2;
  writer.add(header, {}, 0);
  header.id = 3;
  writer.add(header);
  feed(reader, writer.chunk().bytes);
  auto none = create_memfd("test");
  const int number = none->get();
  reader.add_descriptor(std::move(*none));
  EXPECT_FALSE((*reader.next())->descriptor.valid());
  EXPECT_EQ((*reader.next())->descriptor.get(), number);
  EXPECT_FALSE((*reader.next())->descriptor.valid());

  feed(reader, writer.chunk().bytes);
  EXPECT_TRUE(reader.next().ok());
  EXPECT_EQ(reader.next().error().code, Code::kCorrupt);  // flagged, but none came
}

TEST(Frames, AWriteNeverCarriesMoreDescriptorsThanFit) {
  FrameWriter writer;
  for (std::uint64_t id = 0; id < 40; ++id) writer.add({.type = FrameType::kInfer, .id = id}, {}, 7);
  std::size_t writes = 0;
  std::size_t descriptors = 0;
  while (!writer.empty()) {
    const auto chunk = writer.chunk();
    EXPECT_LE(chunk.descriptors_count, kDescriptorsPerWriteCount);
    descriptors += chunk.descriptors_count;
    // A frame must never arrive before its descriptor.
    EXPECT_LE(chunk.bytes.size() / kHeaderBytes + writes * kDescriptorsPerWriteCount, descriptors);
    writer.consume(chunk.bytes.size());
    ++writes;
  }
  EXPECT_EQ(descriptors, 40U);
  EXPECT_EQ(writes, 3U);
}

}  // namespace
}  // namespace noren::link
