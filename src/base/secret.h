// base/secret.h - Secret: text that can't be printed, and the few things one may do with it.
// Whoever holds a key, token or password holds it as a Secret. There is no operator<<, no formatter and no
// implicit conversion; reveal() is the one way out and easy to find. Any thread. Memory is wiped on
// destruction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace noren {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret();

  /// The text itself: only for hashing, encrypting, or an answer that exists to show it.
  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

/// A keyed hash (BLAKE2b, 32 bytes) of a secret: what is stored and compared in its place.
using SecretDigest = std::array<std::uint8_t, 32>;
using DigestKey = std::array<std::uint8_t, 32>;

SecretDigest digest_of(std::string_view secret, const DigestKey& key);

/// Constant time.
bool equal_digests(const SecretDigest& a, const SecretDigest& b);

/// `count` random bytes of the system's generator, as lower-case hex.
std::string random_hex(std::size_t count);
/// 16 characters of [a-z0-9]: an API's id.
std::string random_id();
/// A UUID version 4 in lower case: keys and request ids.
std::string random_uuid();

}  // namespace noren
