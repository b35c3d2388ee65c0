// The one place that includes the HTTP library: a complete request head into a RequestHead, and chunked
// bodies piece by piece.
#pragma once

#include <memory>
#include <string_view>

#include "server/http/listener/exchange.h"

namespace noren::server {

/// What is wrong with a request as HTTP; such a connection gets one plain answer and is closed.
struct ProtocolFault {
  int status = 400;
  std::string_view text;
};

/// Takes the pieces of a chunked body.
class ChunkSink {
 public:
  /// A chunk of this size begins. False: it can't be taken, and the rest is not looked at.
  virtual bool on_chunk(std::uint64_t size_bytes) = 0;
  virtual void on_chunk_data(std::string_view data) = 0;

 protected:
  virtual ~ChunkSink() = default;
};

class HeadParser {
 public:
  HeadParser();
  ~HeadParser();

  /// `text` is a head up to and with its empty line; the views in head() point into it.
  std::optional<ProtocolFault> parse(std::string_view text);
  const RequestHead& head() const;

  struct ChunkProgress {
    std::size_t consumed_count = 0;
    bool done = false;
    bool faulty = false;
  };
  /// Bytes behind the head of a chunked request; what is not consumed is to be given again with more behind
  /// it.
  ChunkProgress feed_chunks(std::string_view data, ChunkSink& sink);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace noren::server
