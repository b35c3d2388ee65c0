// server/store/sql/sql_store.h - The store on an SQL database, in portable SQL: what SQLite and PostgreSQL
// share. Made by the room of a database, which opens the session and knows its errors; then used as a Store
// on the control thread. The one place that turns records into rows. Never sees a file or an address.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/store/store.h"

namespace soci {
class session;
class soci_error;
}  // namespace soci

namespace noren::server {

/// What is a database's own.
struct SqlDialect {
  std::string name;  ///< "SQLite", for messages
  /// kAlreadyExists for a broken uniqueness, kExhausted for a full disk, kUnavailable for the rest.
  std::function<Code(const soci::soci_error&)> code_of;
};

/// Brings the schema up to date (each file in a transaction of its own), then hands out the store.
/// kFailedPrecondition where the schema is newer than this program.
Result<std::unique_ptr<Store>> open_sql_store(std::unique_ptr<soci::session> session, SqlDialect dialect);

}  // namespace noren::server
