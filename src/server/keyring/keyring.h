// server/keyring/keyring.h - The keyring: what the master key is used for, and nothing else.
// Made at start from DIR/master.key or the environment; used on the control thread. The data plane gets the
// digest key alone. A stolen database without the master key holds neither keys nor anything that a guess
// could be tested against.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace noren::server {

class Keyring {
 public:
  /// `master_key`: 64 hex digits.
  static Result<Keyring> from_master_key(const Secret& master_key);
  /// A new random master key in the form that from_master_key takes.
  static Secret make_master_key();

  /// Callers' keys are stored and compared under this.
  const DigestKey& api_key_digest_key() const { return api_key_digest_key_; }
  /// Digest of a caller's key, as hex.
  std::string digest_api_key(const Secret& key) const;
  /// Digest of a bearer token, as hex.
  std::string digest_token(const Secret& token) const;
  /// Tells a wrong master key from the right one; safe to store.
  std::string fingerprint() const;

  /// Encrypts and authenticates; `purpose` binds the text to its place ("key:ID"), so that rows can't be
  /// swapped.
  std::string seal(std::string_view text, std::string_view purpose) const;
  /// kCorrupt where the text was changed or belongs elsewhere.
  Result<Secret> open(std::string_view sealed, std::string_view purpose) const;

 private:
  Keyring() = default;
  DigestKey api_key_digest_key_{};
  DigestKey token_digest_key_{};
  DigestKey fingerprint_key_{};
  DigestKey seal_key_{};
};

/// Argon2id of a password, in its usual text form.
Result<std::string> hash_password(const Secret& password);

std::string hex_of_digest(const SecretDigest& digest);
/// kCorrupt where it is not 64 hex digits.
Result<SecretDigest> digest_from_hex(std::string_view hex);

}  // namespace noren::server
