#include <zlib.h>

#include <algorithm>

#include "base/limits.h"
#include "worker/protocol/classic/classic.h"

namespace noren::worker {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr std::size_t kFirstBytes = 64 * limits::kKiB;

/// One zlib stream, ended when it goes.
class Inflater {
 public:
  explicit Inflater(ByteView compressed) {
    stream_.next_in = const_cast<Bytef*>(compressed.data());
    stream_.avail_in = static_cast<uInt>(compressed.size());
    is_open_ = inflateInit2(&stream_, kGzipOnly) == Z_OK;
  }
  ~Inflater() {
    if (is_open_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool is_open() const { return is_open_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_ = {};
  bool is_open_ = false;
};

Error damaged() { return invalid("the body is not gzip, or is damaged or cut"); }
Error too_large(std::size_t limit_bytes) {
  return make_error(Code::kTooLarge,
                    "the body is larger than " + std::to_string(limit_bytes) + " bytes unpacked");
}

}  // namespace

Result<InflatedBody> inflate_gzip(ByteView compressed, std::size_t limit_bytes) {
  if (compressed.size() > limits::kFramePayloadBytes) return too_large(limit_bytes);
  Inflater inflater(compressed);
  if (!inflater.is_open()) return internal("zlib did not start");
  z_stream& stream = inflater.stream();
  InflatedBody body;
  // One byte past the limit tells a body that is just as large from one that is larger.
  const std::size_t room_bytes = limit_bytes + 1;
  while (true) {
    if (body.size_bytes == body.storage.size()) {
      if (body.size_bytes == room_bytes) return too_large(limit_bytes);
      body.storage.resize(std::min(std::max(kFirstBytes, body.size_bytes * 2), room_bytes));
    }
    stream.next_out = body.storage.data() + body.size_bytes;
    stream.avail_out = static_cast<uInt>(body.storage.size() - body.size_bytes);
    const int status = inflate(&stream, Z_NO_FLUSH);
    body.size_bytes = body.storage.size() - stream.avail_out;
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      if (inflateReset(&stream) != Z_OK) return damaged();  // another member follows
    } else if (status != Z_OK) {
      return damaged();
    } else if (stream.avail_in == 0 && stream.avail_out != 0) {
      return damaged();  // nothing left to read, and no end
    }
  }
  if (body.size_bytes > limit_bytes) return too_large(limit_bytes);
  body.storage.resize(body.size_bytes + limits::kFramePaddingBytes);
  return body;
}

}  // namespace noren::worker
