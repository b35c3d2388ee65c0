#include <gtest/gtest.h>
#include <zlib.h>

#include "base/limits.h"
#include "worker/protocol/classic/classic.h"

namespace noren::worker {
namespace {

Bytes gzip(std::string_view text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(deflateBound(&stream, text.size()) + 32);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

TEST(Gzip, RoundTripWithPaddingBehind) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65'536}, std::size_t{300'001}}) {
    const std::string text(size, 'x');
    const Result<InflatedBody> body = inflate_gzip(gzip(text), 1'000'000);
    ASSERT_TRUE(body.ok());
    EXPECT_EQ(text_of(body->view()), text);
    EXPECT_EQ(body->storage.size(), size + limits::kFramePaddingBytes);
  }
}

TEST(Gzip, SeveralMembersAreOneBody) {
  Bytes both = gzip("one ");
  const Bytes second = gzip("two");
  both.insert(both.end(), second.begin(), second.end());
  const Result<InflatedBody> body = inflate_gzip(both, 100);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(text_of(body->view()), "one two");
}

TEST(Gzip, TheLimitCountsUnpackedBytes) {
  const Bytes packed = gzip(std::string(100'000, 'x'));
  EXPECT_TRUE(inflate_gzip(packed, 100'000).ok());
  const Result<InflatedBody> body = inflate_gzip(packed, 99'999);
  ASSERT_FALSE(body.ok());
  EXPECT_EQ(body.error().code, Code::kTooLarge);
}

TEST(Gzip, DamageIsRefused) {
  const Bytes packed = gzip(std::string(1'000, 'x') + "and more");
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_FALSE(inflate_gzip(ByteView(packed).first(size), 10'000).ok()) << size;
  EXPECT_FALSE(inflate_gzip(bytes_of("{\"inputs\":[]}"), 10'000).ok());
  Bytes trailing = packed;
  trailing.push_back('x');
  EXPECT_FALSE(inflate_gzip(trailing, 10'000).ok());
}

}  // namespace
}  // namespace noren::worker
