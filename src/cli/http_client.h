// One HTTP request, sent and answered while the caller waits. The only file of this room that knows the HTTP
// library.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace noren::cli {

struct HttpCall {
  std::string method = "GET";
  std::string url;  ///< http:// or https://
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string body_file;              ///< sent in place of `body`, read while it is sent
  std::string certificate_authority;  ///< a PEM file to trust besides the system's
  /// How long the server may say nothing. An import may take as long as a worker is given for it, and a
  /// little more for the disk.
  int silence_limit_s = 300;
};

struct HttpAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
};

/// Errors: kUnavailable where nobody answers, kInvalidArgument for a URL that is none.
Result<HttpAnswer> send(const HttpCall& call);

}  // namespace noren::cli
