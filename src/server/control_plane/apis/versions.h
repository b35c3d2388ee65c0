// server/control_plane/apis/versions.h - The versions of an API: what may replace the one that serves, the
// switch itself, the way back, and how many are kept. Called on the control thread. A plan changes nothing;
// whoever has tried it commits it, and applies a new catalog after that.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "domain/catalog.h"
#include "domain/model_interface.h"
#include "server/control_plane/apis/apis.h"
#include "server/store/store.h"

namespace noren::server {

struct ShownVersion {
  VersionRecord record;
  JobRecord job;  ///< without its description
  bool serves = false;
};

/// What callers would notice is refused, or somebody said that it is meant.
enum class NoticedChanges : std::uint8_t { kRefuse, kAccept };

struct NewVersion {
  JobRecord job;
  std::vector<std::string> ineligible_reasons;  ///< of its import, for per request
  ModelInterface before;
  ModelInterface after;
  NoticedChanges noticed = NoticedChanges::kRefuse;
};

struct VersionPlan {
  enum class Step : std::uint8_t { kAdd, kReturn };
  Step step = Step::kAdd;
  ApiRow row;  ///< as it is while the version is tried
  VersionRecord version;
  VersionToTry trial;
  std::vector<std::string> changes;  ///< that callers will notice
};

class Versions {
 public:
  Versions(Store& store, const Clock& clock, const ApiRules& rules)
      : store_(store), clock_(clock), rules_(rules) {}

  /// Newest first.
  Result<std::vector<ShownVersion>> list(const ApiRow& row);

  /// kFailedPrecondition for a model that does not qualify, or that callers would notice where that is
  /// refused.
  Result<VersionPlan> plan_new(const ApiRow& row, const NewVersion& version);
  /// Back to a kept version; an empty label is the newest one that is older than the one that serves.
  Result<VersionPlan> plan_return(const ApiRow& row, const std::string& label);

  struct Switched {
    ApiRow row;
    std::vector<std::string> dropped_labels;
    std::vector<std::string> released_blobs;
  };
  /// The catalog after this names the version. Those over the limit are dropped, oldest first, never the one
  /// that serves. kFailedPrecondition where the API changed since the plan was made. `also` runs in the same
  /// transaction.
  Result<Switched> commit(const VersionPlan& plan,
                          const std::function<Status(const Switched&)>& also = nullptr);

 private:
  Status drop_old(const ApiRecord& api, Switched& switched);

  Store& store_;
  const Clock& clock_;
  ApiRules rules_;
};

}  // namespace noren::server
