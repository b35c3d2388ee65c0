// server/data_plane/permit.h - Permit: the right to one request, given by admission, settled exactly once.
// Held by the HTTP room while it serves the request, on the event loop. Destroyed unsettled it gives its
// reservation back and bills nothing, whatever the reason was.
#pragma once

#include <memory>
#include <optional>

#include "domain/catalog.h"
#include "server/data_plane/usage_counters.h"

namespace noren::server {

struct ApiState;
class Admission;

class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept;
  Permit& operator=(Permit&& other) noexcept;
  ~Permit();

  /// The API as it was published when the permit was given.
  const PublishedApi& api() const { return *api_; }
  /// Counts the request as answered, before its answer is handed over: a server that is killed between the
  /// two has counted what the caller has. Unless kSuccess settles it then, the count is taken back.
  void count_answered();
  /// kSuccess counts and uses the request up; anything else is noted and given back.
  void settle(UsageClass usage);

 private:
  friend class Admission;
  friend class DataPlane;
  Permit(Admission& admission, std::shared_ptr<ApiState> state, CatalogSnapshot snapshot,
         const PublishedApi& api,
         bool is_free);  // NOLINT: one maker

  Admission* admission_ = nullptr;  ///< null: empty or settled
  std::shared_ptr<ApiState> state_;
  CatalogSnapshot snapshot_;
  const PublishedApi* api_ = nullptr;
  bool is_free_ = false;
  std::optional<std::int32_t> counted_day_;  ///< UTC; of count_answered()
};

}  // namespace noren::server
