#include "server/control_plane/accounts/accounts.h"

#include "server/store/words.h"

namespace noren::server {
namespace {

constexpr const char* kFingerprint = "master-key-fingerprint";

Principal principal_of(const OwnerRecord& owner) {
  return {owner.id, owner.name, owner.role == Role::kAdmin, plan_of(owner.plan)};
}

}  // namespace

FirstAdmin Accounts::make_first_admin() {
  return {"admin", Secret(random_hex(12)), Secret("noren_" + random_hex(24))};
}

Status Accounts::create_first_admin(const FirstAdmin& admin) {
  ASSIGN_OR_RETURN(const std::string password_hash, hash_password(admin.password));
  const WallUs now_us = clock_.wall_us();
  return store_.transaction([&]() -> Status {
    const std::string owner_id = random_id();
    TRY(store_.add_owner({owner_id, OwnerKind::kPerson, admin.name, OwnerPlan::kContract, Role::kAdmin,
                          password_hash, now_us}));
    TRY(store_.add_token({random_id(), owner_id, "first", keyring_.digest_token(admin.token), now_us, 0}));
    return store_.set_meta(kFingerprint, keyring_.fingerprint());
  });
}

Result<bool> Accounts::is_initialised() {
  ASSIGN_OR_RETURN(const auto fingerprint, store_.find_meta(kFingerprint));
  if (!fingerprint) return false;
  if (*fingerprint != keyring_.fingerprint())
    return make_error(Code::kFailedPrecondition,
                      "the master key is not the one that this data folder was made with");
  return true;
}

Result<Principal> Accounts::authenticate(const Secret& token) {
  const Error refused = make_error(Code::kUnauthenticated, "a valid bearer token is needed");
  if (token.empty()) return refused;
  ASSIGN_OR_RETURN(const auto found, store_.find_token(keyring_.digest_token(token)));
  if (!found) return refused;
  if (found->expires_us != 0 && found->expires_us <= clock_.wall_us()) return refused;
  ASSIGN_OR_RETURN(const auto owner, store_.find_owner(found->owner_id));
  if (!owner) return refused;
  return principal_of(*owner);
}

}  // namespace noren::server
