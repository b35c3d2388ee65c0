#include "server/store/sql/session.h"

namespace noren::server {

Error SqlSession::error_of(const char* doing, const soci::soci_error& failure) const {
  const Code code = dialect_.code_of(failure);
  const std::string detail = std::string(doing) + ": " + failure.what();
  switch (code) {
    case Code::kAlreadyExists: return make_error(code, "it exists already", detail);
    case Code::kExhausted: return make_error(code, "the disk of the server's data folder is full", detail);
    default:
      return make_error(Code::kUnavailable, "the server's database does not answer; try again later", detail);
  }
}

}  // namespace noren::server
