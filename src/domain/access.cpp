#include "domain/access.h"

namespace noren {

bool may(const Principal& principal, Permission permission, std::string_view owner_id) {
  switch (permission) {
    case Permission::kSelf: return true;
    case Permission::kReadJobs:
    case Permission::kWriteJobs:
    case Permission::kReadApis:
    case Permission::kWriteApis:
    case Permission::kReadKeys:
    case Permission::kReadUsage:
      return principal.is_admin || owner_id.empty() || owner_id == principal.owner_id;
  }
  return false;
}

}  // namespace noren
