// What the .cpp files of this folder share: a session, and exceptions turned into errors at its edge.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <soci/soci.h>

#include "server/store/sql/sql_store.h"

namespace noren::server {

class SqlSession {
 public:
  SqlSession(std::unique_ptr<soci::session> session, SqlDialect dialect)
      : session_(std::move(session)), dialect_(std::move(dialect)) {}

  soci::session& sql() { return *session_; }
  const SqlDialect& dialect() const { return dialect_; }

  /// Runs `work`, which talks to the database and may throw; `doing` is for the log.
  template <typename Work>
  auto guarded(const char* doing, Work work) -> Result<
      std::conditional_t<std::is_void_v<std::invoke_result_t<Work>>, Ok, std::invoke_result_t<Work>>> {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
        work();
        return Ok{};
      } else {
        return work();
      }
    } catch (const soci::soci_error& failure) {
      return error_of(doing, failure);
    } catch (const std::exception& failure) {
      return internal(std::string(doing) + ": " + failure.what());
    }
  }

  Error error_of(const char* doing, const soci::soci_error& failure) const;

 private:
  std::unique_ptr<soci::session> session_;
  SqlDialect dialect_;
};

Status migrate(SqlSession& session);

/// As SQL: (1, 2, 3).
std::string list_of(const std::vector<std::uint32_t>& api_numbers);

}  // namespace noren::server
