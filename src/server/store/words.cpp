#include "server/store/words.h"

#include <array>
#include <string>

namespace noren::server {
namespace {

constexpr std::array<std::string_view, 2> kKinds = {"person", "group"};
constexpr std::array<std::string_view, 3> kPlans = {"free", "contract", "card"};
constexpr std::array<std::string_view, 2> kRoles = {"user", "admin"};
constexpr std::array<std::string_view, 2> kTypes = {"per-request", "dedicated"};

template <typename Enum, std::size_t N>
std::string_view word_in(const std::array<std::string_view, N>& words, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  CHECK(index < N);
  return words[index];
}

template <typename Enum, std::size_t N>
Result<Enum> value_in(const std::array<std::string_view, N>& words, std::string_view word,
                      std::string_view what) {
  std::string known;
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == word) return static_cast<Enum>(i);
    known += (i == 0 ? "" : ", ") + std::string(words[i]);
  }
  return invalid(std::string(what) + " '" + std::string(word.substr(0, 100)) + "' is not one of: " + known);
}

}  // namespace

std::string_view word_of(OwnerKind kind) { return word_in(kKinds, kind); }
std::string_view word_of(OwnerPlan plan) { return word_in(kPlans, plan); }
std::string_view word_of(Role role) { return word_in(kRoles, role); }

Result<OwnerKind> owner_kind_of(std::string_view word) { return value_in<OwnerKind>(kKinds, word, "kind"); }
Result<OwnerPlan> owner_plan_of(std::string_view word) { return value_in<OwnerPlan>(kPlans, word, "plan"); }
Result<Role> role_of(std::string_view word) { return value_in<Role>(kRoles, word, "role"); }
Result<ExecutionType> execution_type_of(std::string_view word) {
  return value_in<ExecutionType>(kTypes, word, "type");
}

}  // namespace noren::server
