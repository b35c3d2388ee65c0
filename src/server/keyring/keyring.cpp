#include "server/keyring/keyring.h"

#include <sodium.h>

#include "base/bytes.h"

namespace noren::server {
namespace {

constexpr char kContext[crypto_kdf_CONTEXTBYTES + 1] = "noren\0\0\0";
constexpr std::string_view kSealVersion = "1:";  // which master key and form: a rotation writes the next

bool sodium_ready() {
  static const bool ready = sodium_init() >= 0;
  return ready;
}

void derive(DigestKey& key, std::uint64_t number, const DigestKey& master) {
  CHECK(crypto_kdf_derive_from_key(key.data(), key.size(), number, kContext, master.data()) == 0);
}

std::string to_hex(ByteView bytes) {
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  hex.pop_back();
  return hex;
}

bool from_hex(std::string_view hex, std::span<std::uint8_t> bytes) {
  std::size_t size = 0;
  return hex.size() == bytes.size() * 2 &&
         sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &size, nullptr) == 0 &&
         size == bytes.size();
}

}  // namespace

Result<Keyring> Keyring::from_master_key(const Secret& master_key) {
  if (!sodium_ready()) return internal("libsodium did not start");
  DigestKey master{};
  if (!from_hex(master_key.reveal(), master)) return invalid("the master key must be 64 hexadecimal digits");
  Keyring keyring;
  derive(keyring.api_key_digest_key_, 1, master);
  derive(keyring.token_digest_key_, 2, master);
  derive(keyring.seal_key_, 3, master);
  derive(keyring.fingerprint_key_, 4, master);
  sodium_memzero(master.data(), master.size());
  return keyring;
}

Secret Keyring::make_master_key() { return Secret(random_hex(32)); }

std::string Keyring::digest_api_key(const Secret& key) const {
  return hex_of_digest(digest_of(key.reveal(), api_key_digest_key_));
}

std::string Keyring::digest_token(const Secret& token) const {
  return hex_of_digest(digest_of(token.reveal(), token_digest_key_));
}

std::string Keyring::fingerprint() const {
  return hex_of_digest(digest_of("noren master key", fingerprint_key_));
}

std::string Keyring::seal(std::string_view text, std::string_view purpose) const {
  Bytes sealed(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + text.size() +
               crypto_aead_xchacha20poly1305_ietf_ABYTES);
  randombytes_buf(sealed.data(), crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
  unsigned long long size = 0;
  const int done = crypto_aead_xchacha20poly1305_ietf_encrypt(
      sealed.data() + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, &size, bytes_of(text).data(), text.size(),
      bytes_of(purpose).data(), purpose.size(), nullptr, sealed.data(), seal_key_.data());
  CHECK(done == 0);
  return std::string(kSealVersion) + to_hex(sealed);
}

Result<Secret> Keyring::open(std::string_view sealed, std::string_view purpose) const {
  const Error damaged = make_error(Code::kCorrupt, "a stored secret can't be read with this master key");
  if (!sealed.starts_with(kSealVersion)) return damaged;
  sealed.remove_prefix(kSealVersion.size());
  constexpr std::size_t kOverhead =
      crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES;
  Bytes bytes(sealed.size() / 2);
  if (bytes.size() < kOverhead || !from_hex(sealed, bytes)) return damaged;
  std::string text(bytes.size() - kOverhead, '\0');
  unsigned long long size = 0;
  const int done = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<unsigned char*>(text.data()), &size, nullptr,
      bytes.data() + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
      bytes.size() - crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, bytes_of(purpose).data(), purpose.size(),
      bytes.data(), seal_key_.data());
  if (done != 0 || size != text.size()) return damaged;
  return Secret(std::move(text));
}

Result<std::string> hash_password(const Secret& password) {
  if (!sodium_ready()) return internal("libsodium did not start");
  char text[crypto_pwhash_STRBYTES] = {};
  if (crypto_pwhash_str(text, password.reveal().data(), password.reveal().size(),
                        crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
    return make_error(Code::kUnavailable, "not enough memory to hash a password");
  return std::string(text);
}

std::string hex_of_digest(const SecretDigest& digest) { return to_hex(digest); }

Result<SecretDigest> digest_from_hex(std::string_view hex) {
  SecretDigest digest{};
  if (!from_hex(hex, digest)) return make_error(Code::kCorrupt, "a stored digest is damaged");
  return digest;
}

}  // namespace noren::server
