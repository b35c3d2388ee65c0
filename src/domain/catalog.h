// domain/catalog.h - The catalog: an immutable picture of everything that is published, as the data plane
// reads it. Made by the control plane, swapped in whole; read on the event loop without a lock. Plain data:
// no I/O, no clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/secret.h"
#include "domain/ip_network.h"
#include "domain/schedule.h"

namespace noren {

enum class ExecutionType : std::uint8_t { kPerRequest, kDedicated };
/// "per-request" or "dedicated": the words of the API and the CLI.
std::string_view execution_type_name(ExecutionType type);

/// Whether anything that is free has an end. Paid: a contract or a card.
enum class Plan : std::uint8_t { kFree, kPaid };

struct ApiKey {
  std::string id;
  SecretDigest digest{};
};

/// One published API as a caller meets it.
struct PublishedApi {
  std::string id;
  std::uint32_t number = 0;  ///< dense, never used again: indexes counters
  ExecutionType type = ExecutionType::kPerRequest;
  bool enabled = true;
  Plan owner_plan = Plan::kFree;
  std::vector<ApiKey> keys;

  std::string version_label;
  std::string package_hash;  ///< name of the package in the blob store
  std::int64_t cost_parameter = 0;
  std::int64_t memory_bytes = 0;  ///< what import found that a worker takes; 0: not known
  bool keep_output_names = false;
  bool batching = true;

  std::uint64_t body_limit_bytes = 0;
  std::int64_t deadline_ms = 0;
  std::uint32_t queue_limit_count = 0;
  std::int64_t rate_limit_per_s = 0;  ///< requests; 0: no limit

  std::vector<IpNetwork> allowed_networks;  ///< empty: callers may come from anywhere

  int instances_count = 1;  ///< dedicated
  int threads_count = 1;
  bool on_gpu = false;
  Schedule schedule;
  WallUs modified_us = 0;  ///< when its owner last changed something: what had failed is tried again
};

/// A version of a published API that the catalog does not name yet.
struct VersionToTry {
  std::string api_id;
  std::string version_label;
  std::string package_hash;
  std::int64_t memory_bytes = 0;
};

class Catalog {
 public:
  Catalog() = default;
  explicit Catalog(std::vector<PublishedApi> apis);
  /// Null where there is none.
  const PublishedApi* find(std::string_view id) const;
  const std::vector<PublishedApi>& apis() const { return apis_; }

 private:
  std::vector<PublishedApi> apis_;
  std::unordered_map<std::string_view, std::size_t> by_id_;
};

using CatalogSnapshot = std::shared_ptr<const Catalog>;

}  // namespace noren
