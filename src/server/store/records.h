// server/store/records.h - The rows of the store as plain structs.
// Filled by the store, read and made by the control plane, on the control thread. Nothing in here is a clear
// secret: keys and tokens stand as digests and sealed text. Times are WallUs, 0 means never.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "domain/catalog.h"

namespace noren::server {

enum class OwnerKind : std::uint8_t { kPerson, kGroup };
enum class OwnerPlan : std::uint8_t { kFree, kContract, kCard };
enum class Role : std::uint8_t { kUser, kAdmin };

/// Who owns things: a person, later a group too.
struct OwnerRecord {
  std::string id;
  OwnerKind kind = OwnerKind::kPerson;
  std::string name;
  OwnerPlan plan = OwnerPlan::kFree;
  Role role = Role::kUser;
  std::string password_hash;
  WallUs created_us = 0;
};

/// A bearer token of the management API.
struct TokenRecord {
  std::string id;
  std::string owner_id;
  std::string name;
  std::string digest;
  WallUs created_us = 0;
  WallUs expires_us = 0;
};

/// An imported model. `kept` ones stay when no API uses them any more; what publish made goes with its last
/// API.
struct JobRecord {
  std::int64_t number = 0;  ///< given by the store, rises
  std::string id;
  std::string owner_id;
  std::string project;
  std::string name;
  std::string file_name;
  std::string upload_hash;   ///< blob: the file as it came
  std::string package_hash;  ///< blob: what workers serve
  std::int64_t upload_bytes = 0;
  std::int64_t cost_parameter = 0;
  std::string description;  ///< the import's JSON; empty in lists
  bool kept = false;
  WallUs created_us = 0;
  std::int64_t memory_bytes = 0;  ///< that a worker of it takes; 0: not known
  std::string results;            ///< of an imported result folder: its summary (JSON); else empty
};

struct ApiRecord {
  std::uint32_t number = 0;  ///< given by the store: dense, never used again
  std::string id;
  std::string owner_id;
  ExecutionType type = ExecutionType::kPerRequest;
  bool enabled = true;
  std::string settings;  ///< JSON, see control_plane/apis
  std::string version_label;
  WallUs created_us = 0;
  WallUs modified_us = 0;
};

/// An API with what its current version's job and its owner add.
struct ApiRow {
  ApiRecord api;
  std::string job_id;
  std::string project;
  std::string name;
  std::string package_hash;
  std::int64_t cost_parameter = 0;
  OwnerPlan owner_plan = OwnerPlan::kFree;
  std::int64_t memory_bytes = 0;
};

struct VersionRecord {
  std::uint32_t api_number = 0;
  std::string label;
  std::string job_id;
  WallUs published_us = 0;
};

struct KeyRecord {
  std::string id;
  std::uint32_t api_number = 0;
  std::string name;
  std::string digest;
  std::string sealed;  ///< the key, encrypted, for showing again
  WallUs created_us = 0;
};

/// How requests ended.
struct OutcomeCounts {
  std::int64_t succeeded = 0;  ///< status 200: what quotas and bills count
  std::int64_t refused = 0;
  std::int64_t invalid = 0;
  std::int64_t timed_out = 0;
  std::int64_t failed = 0;
  std::int64_t abandoned = 0;
};

/// Requests of an API on a day (UTC), counted by one server from the first one.
struct UsageRecord {
  std::uint32_t api_number = 0;
  std::int32_t day = 0;
  std::string server_id;
  OutcomeCounts counts;
};

struct DayUsage {
  std::int32_t day = 0;
  OutcomeCounts counts;
};

struct AuditRecord {
  WallUs at_us = 0;
  std::string owner_id;
  std::string remote_address;
  std::string request_id;
  std::string action;
  std::string target;
  std::string detail;
};

/// The answer to a create that may come twice. `answer` is sealed: it may hold a key.
struct IdempotencyRecord {
  std::string owner_id;
  std::string key;
  std::string fingerprint;  ///< of the request, so that a key is not used for two
  std::string answer;
  WallUs created_us = 0;
};

}  // namespace noren::server
