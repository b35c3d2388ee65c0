// server/control_plane/accounts/accounts.h - Accounts: who somebody is, by token, and the first admin.
// Called on the control thread. Holds no clear secret beyond a call; what it makes is told once, to its
// caller.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "domain/access.h"
#include "server/keyring/keyring.h"
#include "server/store/store.h"

namespace noren::server {

struct FirstAdmin {
  std::string name;
  Secret password;
  Secret token;
};

class Accounts {
 public:
  Accounts(Store& store, const Keyring& keyring, const Clock& clock)
      : store_(store), keyring_(keyring), clock_(clock) {}

  /// Random credentials for a first admin; nothing is written.
  static FirstAdmin make_first_admin();
  /// Writes the first admin (an admin with a contract) and that this store belongs to this master key.
  Status create_first_admin(const FirstAdmin& admin);

  /// kFailedPrecondition where the store belongs to another master key. False: nothing is in it yet.
  Result<bool> is_initialised();

  /// Who holds this token. kUnauthenticated for every token that is not good, without a difference.
  Result<Principal> authenticate(const Secret& token);

 private:
  Store& store_;
  const Keyring& keyring_;
  const Clock& clock_;
};

}  // namespace noren::server
