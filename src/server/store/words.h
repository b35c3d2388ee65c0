// server/store/words.h - The words that stand in the store and in the management API for the records'
// enumerations. Anyone on the server's side, any thread. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "server/store/records.h"

namespace noren::server {

std::string_view word_of(OwnerKind kind);  ///< "person", "group"
std::string_view word_of(OwnerPlan plan);  ///< "free", "contract", "card"
std::string_view word_of(Role role);       ///< "user", "admin"

/// kInvalidArgument names the words that there are.
Result<OwnerKind> owner_kind_of(std::string_view word);
Result<OwnerPlan> owner_plan_of(std::string_view word);
Result<Role> role_of(std::string_view word);
Result<ExecutionType> execution_type_of(std::string_view word);

/// A contract or a card ends the free limits.
inline Plan plan_of(OwnerPlan plan) { return plan == OwnerPlan::kFree ? Plan::kFree : Plan::kPaid; }

}  // namespace noren::server
