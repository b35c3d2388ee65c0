// A server's certificate and key as OpenSSL holds them. Made anew when the files change; connections keep
// what they began with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct ssl_ctx_st;  // tidy: allow word, because OpenSSL names it so

namespace noren::server {

class TlsContext {
 public:
  /// Reads PEM files. The error's text says which file and what is wrong with it.
  static Result<TlsContext> load(const std::string& certificate_file, const std::string& key_file);
  ssl_ctx_st* native() const { return context_.get(); }  // tidy: allow word, because OpenSSL names it

 private:
  std::shared_ptr<ssl_ctx_st> context_;  // tidy: allow word, because OpenSSL names it so
};

/// Changes when either file does (identity, size, time): a reason to load again. 0: a file is not there.
std::uint64_t tls_files_stamp(const std::string& certificate_file, const std::string& key_file);

}  // namespace noren::server
