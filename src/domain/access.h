// domain/access.h - Access: what somebody may do. The one place that decides it; who asks must be told no by
// default. Called by the management API for every request. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/catalog.h"

namespace noren {

/// Somebody who showed good credentials.
struct Principal {
  std::string owner_id;
  std::string name;
  bool is_admin = false;
  Plan plan = Plan::kFree;
};

/// What a route of the management API needs.
enum class Permission : std::uint8_t {
  kSelf,  ///< about oneself and the server: anybody with credentials
  kReadJobs,
  kWriteJobs,
  kReadApis,
  kWriteApis,
  kReadKeys,  ///< in clear
  kReadUsage,
};

/// May they do this to what belongs to `owner_id`? Empty: to something of their own that is about to be made.
bool may(const Principal& principal, Permission permission, std::string_view owner_id);

}  // namespace noren
