#include "server/store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sqlite3.h>

#include "base/unique_fd.h"
#include "server/store/sql/sql_store.h"

namespace noren::server {
namespace {

Code code_of(const soci::soci_error& failure) {
  const auto* own = dynamic_cast<const soci::sqlite3_soci_error*>(&failure);
  const int result = own != nullptr ? own->result() & 0xff : SQLITE_ERROR;
  if (result == SQLITE_CONSTRAINT) return Code::kAlreadyExists;
  if (result == SQLITE_FULL) return Code::kExhausted;
  return Code::kUnavailable;
}

/// SQLite makes a missing file with the process's umask: ours must be private from its first byte.
Status make_private(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid())
    return system_error(Code::kUnavailable, "the database " + path + " can't be opened", path);
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path) {
  if (path.find('"') != std::string::npos)
    return invalid("the data folder's path must not contain a double quote");
  if (path != ":memory:") TRY(make_private(path));
  auto session = std::make_unique<soci::session>();
  try {
    session->open(soci::sqlite3, fmt::format("db=\"{}\" timeout=5", path));
    std::string mode;
    *session << "PRAGMA journal_mode = WAL", soci::into(mode);
    // FULL: a commit is on the disk when it returns. A lease of free requests and a published key must
    // survive a loss of power, and the control thread, where all writing happens, is never on a request's
    // way.
    *session << "PRAGMA synchronous = FULL";
    *session << "PRAGMA foreign_keys = ON";
  } catch (const std::exception& failure) {
    return make_error(Code::kUnavailable,
                      fmt::format("the database {} can't be opened: {}", path, failure.what()));
  }
  return open_sql_store(std::move(session), SqlDialect{"SQLite", code_of});
}

}  // namespace noren::server
