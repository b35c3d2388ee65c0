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

std::string list_of(const std::vector<std::uint32_t>& api_numbers) {
  std::string list = "(0";  // nobody's number: an empty list is no SQL
  for (const std::uint32_t number : api_numbers) list += ", " + std::to_string(number);
  return list + ")";
}

}  // namespace noren::server
