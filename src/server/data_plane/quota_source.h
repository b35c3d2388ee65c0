// server/data_plane/quota_source.h - Where the data plane leases the free requests of an API from.
// Called on the event loop; the answer comes back on the event loop, later. A lease is durable before it is
// granted, so that a crash can never give the same request away twice.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace noren::server {

struct QuotaGrant {
  std::uint32_t permits_count = 0;  ///< 0: nothing is left
};

class QuotaSource {
 public:
  virtual ~QuotaSource() = default;
  /// Asks for up to `wanted_count` further requests of an API on a free plan.
  virtual void lease(const std::string& api_id, std::uint32_t wanted_count,
                     std::function<void(Result<QuotaGrant>)> done) = 0;
  /// Permits of a lease that will not be used (the API was switched off, the server stops).
  virtual void give_back(const std::string& api_id, std::uint32_t permits_count) = 0;
};

}  // namespace noren::server
