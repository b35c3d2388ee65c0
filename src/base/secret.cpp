#include "base/secret.h"

#include <sodium.h>

#include "base/check.h"

namespace noren {
namespace {

void fill_random(void* bytes, std::size_t count) {
  static const bool ready = sodium_init() >= 0;
  CHECK(ready);
  randombytes_buf(bytes, count);
}

constexpr char kHex[] = "0123456789abcdef";

}  // namespace

Secret::~Secret() {
  if (!text_.empty()) sodium_memzero(text_.data(), text_.size());
}

SecretDigest digest_of(std::string_view secret, const DigestKey& key) {
  SecretDigest digest{};
  const int status =
      crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(secret.data()),
                         secret.size(), key.data(), key.size());
  CHECK(status == 0);
  return digest;
}

bool equal_digests(const SecretDigest& a, const SecretDigest& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_hex(std::size_t count) {
  std::string bytes(count, '\0');
  fill_random(bytes.data(), count);
  std::string text;
  text.reserve(2 * count);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::string random_id() {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string id(16, '\0');
  for (char& c : id) {
    std::uint8_t byte = 0;
    do fill_random(&byte, 1);
    while (byte >= 252);  // 252 = 7 * 36: every character equally likely
    c = kAlphabet[byte % 36];
  }
  return id;
}

std::string random_uuid() {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes.data(), bytes.size());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 15];
  }
  return text;
}

}  // namespace noren
