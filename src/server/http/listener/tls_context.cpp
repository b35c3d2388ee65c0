#include "server/http/listener/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

namespace noren::server {
namespace {

std::string last_openssl_error() {
  char text[256] = "unknown";
  const unsigned long number = ERR_get_error();
  if (number != 0) ERR_error_string_n(number, text, sizeof text);
  ERR_clear_error();
  return text;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* out = nullptr;
  if (SSL_select_next_proto(&out, chosen_size, kHttp11, sizeof kHttp11 - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = out;
  return SSL_TLSEXT_ERR_OK;
}

void mix(std::uint64_t& stamp, std::uint64_t value) { stamp = (stamp ^ value) * 0x9e3779b97f4a7c15U; }

}  // namespace

Result<TlsContext> TlsContext::load(const std::string& certificate_file, const std::string& key_file) {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return internal("SSL_CTX_new: " + last_openssl_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1)
    return make_error(Code::kInvalidArgument,
                      "'" + certificate_file + "' is no PEM certificate chain that can be read",
                      last_openssl_error());
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return make_error(Code::kInvalidArgument,
                      "'" + key_file + "' is no PEM private key that can be read, or not that of '" +
                          certificate_file + "'",
                      last_openssl_error());
  if (SSL_CTX_check_private_key(context.get()) != 1)
    return make_error(
        Code::kInvalidArgument,
        "the key '" + key_file + "' does not belong to the certificate '" + certificate_file + "'",
        last_openssl_error());
  TlsContext result;
  result.context_ = context;
  return result;
}

std::uint64_t tls_files_stamp(const std::string& certificate_file, const std::string& key_file) {
  std::uint64_t stamp = 1;
  for (const std::string* file : {&certificate_file, &key_file}) {
    struct stat status {};
    if (::stat(file->c_str(), &status) != 0) return 0;
    mix(stamp, status.st_ino);
    mix(stamp, static_cast<std::uint64_t>(status.st_size));
    mix(stamp, static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000U +
                   static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
  }
  return stamp == 0 ? 1 : stamp;
}

}  // namespace noren::server
