#include "server/http/listener/head_parser.h"

#include <gtest/gtest.h>

namespace noren::server {
namespace {

constexpr std::string_view kHead = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Collected final : ChunkSink {
  std::string text;
  bool on_chunk(std::uint64_t size_bytes) override { return size_bytes < 1'000; }
  void on_chunk_data(std::string_view data) override { text += data; }
};

/// The body, or how it ended, when its bytes come in two or more pieces.
std::string read_in_pieces(const std::vector<std::string_view>& pieces) {
  HeadParser parser;
  EXPECT_FALSE(parser.parse(kHead).has_value());
  Collected collected;
  std::string unread;
  for (const std::string_view piece : pieces) {
    unread += piece;
    const auto progress = parser.feed_chunks(unread, collected);
    unread.erase(0, progress.consumed_count);
    if (progress.faulty) return "faulty";
    if (progress.done) return collected.text + (unread.empty() ? "" : " and " + unread);
  }
  return "unfinished";
}

TEST(Chunks, AreTheSameHoweverTheyAreCut) {
  const std::pair<std::string_view, std::string_view> bodies[] = {
      {"0\r\n\r\n", ""},
      {"0\r\nT: v\r\n\r\n", ""},
      {"0;a=b\r\n\r\n", ""},
      {"00\r\n\r\n", ""},
      {"02\r\nhi\r\n0\r\n\r\n", "hi"},
      {"2\r\nhi\r\n0\r\n\r\n", "hi"},
      {"1;a\r\nh\r\n1\r\ni\r\n000\r\nT: v\r\nU: w\r\n\r\n", "hi"},
  };
  for (const auto& [body, text] : bodies) {
    for (std::size_t first = 0; first <= body.size(); ++first)
      for (std::size_t second = first; second <= body.size(); ++second)
        EXPECT_EQ(
            read_in_pieces({body.substr(0, first), body.substr(first, second - first), body.substr(second)}),
            text)
            << body << " cut at " << first << " and " << second;
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < body.size(); ++i) bytes.push_back(body.substr(i, 1));
    EXPECT_EQ(read_in_pieces(bytes), text) << body;
  }
}

TEST(Chunks, WhatFollowsIsTheNextRequests) {
  EXPECT_EQ(read_in_pieces({"1\r\na\r\n0\r\n\r\nGET"}), "a and GET");
}

TEST(Chunks, WhatIsNoneIsSaid) {
  for (const std::string_view body :
       {"x\r\n\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "-1\r\na\r\n0\r\n\r\n", "1 \r\na\r\n0\r\n\r\n", "3e8\r\na",
        "10000000000000000\r\na", "\r\n\r\n\r\n\r\n"})
    EXPECT_EQ(read_in_pieces({body}), "faulty") << body;
}

TEST(Head, NothingThatIsKeptOfAFoldedFieldOutlivesItsBuffer) {
  HeadParser parser;
  for (const std::string_view field :
       {"x-api-key: a\r\n b", "Authorization: Bearer\r\n\tabc", "X: a\r\n b"}) {
    const std::string text = "GET / HTTP/1.1\r\nHost: x\r\n" + std::string(field) + "\r\n\r\n";
    const auto fault = parser.parse(text);
    ASSERT_TRUE(fault.has_value()) << text;
    EXPECT_EQ(fault->status, 400);
  }
  // The same words on one line are taken, and an empty value too.
  const std::string text = "GET / HTTP/1.1\r\nHost: x\r\nx-api-key: a b\r\nX:\r\n\r\n";
  ASSERT_FALSE(parser.parse(text).has_value());
  EXPECT_EQ(parser.head().api_key, "a b");
  EXPECT_EQ(parser.head().api_key.data(), text.data() + text.find("a b"));
}

}  // namespace
}  // namespace noren::server
