// server/control_plane/apis/apis.h - APIs: publish, change, delete, keys, and the catalog that the data plane
// reads. Called on the control thread. Every change is one transaction; whoever changes something applies a
// new catalog after it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/secret.h"
#include "domain/access.h"
#include "domain/catalog.h"
#include "server/keyring/keyring.h"
#include "server/store/store.h"

namespace noren::server {

/// What an API does where its own settings say nothing, and what this server's rules are.
struct ApiRules {
  std::int64_t per_request_body_bytes = 0;
  std::int64_t dedicated_body_bytes = 0;
  std::int64_t deadline_ms = 0;
  std::int64_t queue_limit_count = 0;
  std::int64_t per_request_cost_count = 0;
  std::int64_t free_apis_per_month_count = 0;
  std::int64_t versions_kept_count = limits::kVersionsKeptCount;
  int threads_limit_count = limits::kThreadsCount;
  std::string gpu_unavailable_reason;  ///< empty: GPU instances can be started
};

/// An API's own settings. 0: the server's. What only a dedicated API has is kept while it is per request.
struct ApiSettings {
  std::string name;  ///< empty: the job's
  bool keep_output_names = false;
  bool batching = true;
  bool on_gpu = false;
  int instances_count = 1;
  int threads_count = 1;
  Schedule schedule;
  std::int64_t body_limit_bytes = 0;
  std::int64_t deadline_ms = 0;
  std::int64_t queue_limit_count = 0;
  std::int64_t rate_limit_per_s = 0;  ///< 0: no limit
  bool operator==(const ApiSettings&) const = default;
};
std::string to_json(const ApiSettings& settings);
/// kCorrupt where the stored text is none. A member that is not known is left alone: a newer server wrote it.
Result<ApiSettings> settings_from_json(const std::string& text);
/// Whether each setting is within its limits, for an API of this type. kInvalidArgument names the setting.
Status check_settings(const ApiSettings& settings, ExecutionType type, const ApiRules& rules);

struct NewApi {
  JobRecord job;
  ExecutionType type = ExecutionType::kPerRequest;
  std::string id;  ///< empty: a new one
  Secret key;      ///< empty: a new one
  ApiSettings settings;
  std::vector<std::string> ineligible_reasons;  ///< of the import, for per request
};

struct PublishedNow {
  ApiRow row;
  Secret key;
};

struct ApiChange {
  std::optional<bool> enabled;
  std::optional<ExecutionType> type;
  std::optional<ApiSettings> settings;
  std::vector<std::string> ineligible_reasons;  ///< of the current version's import, for per request
};

struct ShownKey {
  std::string id;
  std::string name;
  Secret key;
  WallUs created_us = 0;
};

class Apis {
 public:
  Apis(Store& store, const Keyring& keyring, const Clock& clock, const ApiRules& rules)
      : store_(store), keyring_(keyring), clock_(clock), rules_(rules) {}

  /// kAlreadyExists for an id that is taken, kFailedPrecondition for a model that does not qualify,
  /// kPermissionDenied for what the owner's plan does not hold. `also` runs in the same transaction, after
  /// the rest.
  Result<PublishedNow> publish(const Principal& owner, const NewApi& api,
                               const std::function<Status(const PublishedNow&)>& also);
  Result<ApiRow> find(const std::string& id);
  Result<std::vector<ApiRow>> list(const std::string& owner_id, const Page& page);
  /// `also`, here and below, runs in the same transaction. A change of type is checked like a publish.
  Result<ApiRow> change(const ApiRow& row, const ApiChange& change,
                        const std::function<Status()>& also = nullptr);

  struct Removed {
    std::vector<std::string> released_blobs;
  };
  /// The API, its versions and keys, and the jobs that publish made for it alone.
  Result<Removed> remove(const ApiRow& row, const std::function<Status()>& also = nullptr);

  Result<std::vector<ShownKey>> keys(const ApiRow& row);

  /// Everything that is published, as of now.
  Result<CatalogSnapshot> build_catalog();
  /// One API as the data plane gets it, but for its keys: the server's rules stand where it has no setting.
  Result<PublishedApi> published(const ApiRow& row) const;

 private:
  Status check_type(Plan plan, ExecutionType type, std::int64_t cost_parameter,
                    const std::vector<std::string>& ineligible_reasons) const;
  Status check_free_plan(const Principal& owner);

  Store& store_;
  const Keyring& keyring_;
  const Clock& clock_;
  ApiRules rules_;
};

/// Why a model may not be published per request, in sentences; empty: it may.
std::vector<std::string> per_request_refusals(std::int64_t cost_parameter,
                                              const std::vector<std::string>& reasons, const ApiRules& rules);

}  // namespace noren::server
