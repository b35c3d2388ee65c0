// Puts a body together: small ones in a string, large ones straight from the socket into a memory file.
#pragma once

#include <optional>
#include <string_view>

#include "server/http/listener/exchange.h"

namespace noren::server {

class BodyReceiver {
 public:
  BodyReceiver() = default;
  ~BodyReceiver() { clear(); }
  BodyReceiver(const BodyReceiver&) = delete;
  BodyReceiver& operator=(const BodyReceiver&) = delete;

  /// Reserves room in the budget. `content_length_bytes` is known, or the body is chunked and grows.
  std::optional<BodyFailure> begin(const RequestHead& head, const BodyRules& rules);
  bool is_over() const { return failure_.has_value(); }

  // A body of known length.
  std::uint64_t missing_bytes() const { return length_bytes_ - received_bytes_; }
  /// Where the next bytes are to be put, never empty while some are missing.
  std::span<char> room();
  void advance(std::size_t count) { received_bytes_ += count; }

  /// A chunk of this size comes. False: it passes the limit, and failure() says so.
  bool expect(std::uint64_t size_bytes);
  /// A piece of a chunked body. Past the limit it is dropped and failure() says so.
  void append(std::string_view piece);
  std::optional<BodyFailure> failure() const { return failure_; }
  std::uint64_t received_bytes() const { return received_bytes_; }

  /// The whole body. The budget stays reserved until clear().
  Result<RequestBody> finish();
  void clear();

 private:
  bool reserve(std::uint64_t bytes);
  Status open_memfd(std::uint64_t bytes);
  void unmap();

  RequestBody body_;
  BodyRules rules_;
  std::uint64_t length_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t reserved_bytes_ = 0;
  char* mapped_ = nullptr;
  std::uint64_t mapped_bytes_ = 0;
  bool grows_ = false;
  std::optional<BodyFailure> failure_;
};

}  // namespace noren::server
