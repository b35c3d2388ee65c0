// server/management/management.h - The management API behind its HTTP shell: one request in, one answer out.
// The HTTP room calls handle() on the event loop and sends what reply() is given; the work happens on the
// control thread, so SQL and imports never hold a caller up. It never sees a socket; authorisation happens in
// here, in one place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/hang_up.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/unique_fd.h"

namespace noren::server {

struct ManagementRequest {
  std::string method;   ///< "GET"
  std::string path;     ///< "/v1/management/apis/abc", decoded, without query
  std::string query;    ///< "limit=10", undecoded
  Secret bearer_token;  ///< of the Authorization header; empty where there is none
  std::string idempotency_key;
  std::string content_type;
  std::string remote_address;  ///< for the audit
  std::string request_id;
  std::string body;     ///< bodies up to limits::kBodyInlineBytes
  UniqueFd body_memfd;  ///< sealed; larger bodies (uploads)
  std::uint64_t body_size_bytes = 0;
  std::shared_ptr<HangUp> hang_up;  ///< told when nobody waits for the answer any more; null: never
};

struct ManagementResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// An error as a caller gets it: problem+json, with the status that belongs to its code.
ManagementResponse problem(const Error& error, const std::string& request_id);

/// What may follow a head: a body of so many bytes, or nothing but the answer that refuses it.
struct HeadVerdict {
  std::uint64_t body_limit_bytes = 0;
  std::optional<ManagementResponse> refusal;
};

class ManagementService {
 public:
  virtual ~ManagementService() = default;
  /// Before a body is received that is over limits::kBodyInlineBytes, or may be. Sees the head only. `reply`
  /// is called exactly once, on any thread.
  virtual void check_head(const ManagementRequest& head, std::function<void(HeadVerdict)> reply) = 0;
  /// `reply` is called exactly once, on any thread.
  virtual void handle(ManagementRequest request, std::function<void(ManagementResponse)> reply) = 0;
};

}  // namespace noren::server
