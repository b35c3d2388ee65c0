#include "domain/access.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

TEST(Access, OnesOwnThingsAndAnAdminsReach) {
  const Principal user{"u1", "jun", false, Plan::kFree};
  const Principal admin{"a1", "admin", true, Plan::kPaid};
  for (const Permission permission :
       {Permission::kReadJobs, Permission::kWriteJobs, Permission::kReadApis, Permission::kWriteApis,
        Permission::kReadKeys, Permission::kReadUsage}) {
    EXPECT_TRUE(may(user, permission, "u1"));
    EXPECT_TRUE(may(user, permission, ""));
    EXPECT_FALSE(may(user, permission, "u2"));
    EXPECT_TRUE(may(admin, permission, "u2"));
  }
  EXPECT_TRUE(may(user, Permission::kSelf, ""));
  EXPECT_FALSE(may(admin, static_cast<Permission>(200), "a1"));
}

}  // namespace
}  // namespace noren
