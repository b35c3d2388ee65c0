// Rows of the store into the catalog: the server's rules fill in what an API's settings leave open.
#include <algorithm>

#include "base/log.h"
#include "server/control_plane/apis/apis.h"
#include "server/store/words.h"

namespace noren::server {
namespace {

constexpr std::int64_t kCatalogPageCount = 1'000;

template <typename To, typename From>
To or_else(From own, From standard) {
  return static_cast<To>(own != 0 ? own : standard);
}

}  // namespace

Result<PublishedApi> Apis::published(const ApiRow& row) const {
  ASSIGN_OR_RETURN(const ApiSettings settings, settings_from_json(row.api.settings));
  const bool dedicated = row.api.type == ExecutionType::kDedicated;
  PublishedApi api;
  api.id = row.api.id;
  api.number = row.api.number;
  api.type = row.api.type;
  api.enabled = row.api.enabled;
  api.owner_plan = plan_of(row.owner_plan);
  api.version_label = row.api.version_label;
  api.package_hash = row.package_hash;
  api.cost_parameter = row.cost_parameter;
  api.memory_bytes = row.memory_bytes;
  api.keep_output_names = settings.keep_output_names;
  api.batching = settings.batching;
  api.body_limit_bytes = or_else<std::uint64_t>(
      settings.body_limit_bytes, dedicated ? rules_.dedicated_body_bytes : rules_.per_request_body_bytes);
  api.deadline_ms = or_else<std::int64_t>(settings.deadline_ms, rules_.deadline_ms);
  // Set while the operator's was longer: the shorter one holds. Dedicated ones may be longer.
  if (!dedicated) api.deadline_ms = std::min(api.deadline_ms, rules_.deadline_ms);
  api.queue_limit_count = or_else<std::uint32_t>(settings.queue_limit_count, rules_.queue_limit_count);
  api.rate_limit_per_s = settings.rate_limit_per_s;
  api.modified_us = row.api.modified_us;
  if (!dedicated) return api;
  api.instances_count = settings.instances_count;
  api.threads_count = settings.threads_count;
  api.on_gpu = settings.on_gpu;
  api.schedule = settings.schedule;
  return api;
}

Result<CatalogSnapshot> Apis::build_catalog() {
  ASSIGN_OR_RETURN(const std::vector<KeyRecord> keys, store_.list_keys(0));
  std::unordered_map<std::uint32_t, std::vector<ApiKey>> keys_of;
  for (const KeyRecord& key : keys) {
    ASSIGN_OR_RETURN(const SecretDigest digest, digest_from_hex(key.digest));
    keys_of[key.api_number].push_back({key.id, digest});
  }
  std::vector<PublishedApi> apis;
  Page page{0, kCatalogPageCount};
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<ApiRow> rows, store_.list_apis("", page));
    for (const ApiRow& row : rows) {
      auto api = published(row);
      if (!api.ok()) {
        // One damaged row must not take the others down.
        log(LogLevel::kError, "catalog.api_left_out",
            {{"api", row.api.id}, {"error", describe(api.error())}});
        continue;
      }
      api->keys = std::move(keys_of[row.api.number]);
      apis.push_back(std::move(*api));
    }
    if (static_cast<std::int64_t>(rows.size()) < page.limit_count) break;
    page.before_number = rows.back().api.number;
  }
  return CatalogSnapshot(std::make_shared<const Catalog>(std::move(apis)));
}

}  // namespace noren::server
