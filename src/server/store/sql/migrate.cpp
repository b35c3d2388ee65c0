// Forward only: each schema file that the database has not seen is run once, in a transaction of its own.
#include <fmt/format.h>

#include "base/log.h"
#include "server/store/schema.h"
#include "server/store/sql/session.h"

namespace noren::server {
namespace {

/// Statements end with ';' at the end of a line; the schema files use no ';' elsewhere.
std::vector<std::string> statements_of(std::string_view text) {
  std::vector<std::string> statements;
  std::string statement;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with("--") || line.empty()) continue;
    statement += line;
    statement += '\n';
    if (!line.ends_with(';')) continue;
    statement.resize(statement.size() - 2);
    statements.push_back(std::move(statement));
    statement.clear();
  }
  CHECK(statement.empty());
  return statements;
}

Status apply(SqlSession& session, const SchemaFile& file) {
  return session.guarded("schema", [&] {
    soci::transaction transaction(session.sql());
    for (const std::string& statement : statements_of(file.sql)) session.sql() << statement;
    const long long version = file.version;
    session.sql() << "INSERT INTO schema_version (version) VALUES (:version)", soci::use(version, "version");
    transaction.commit();
  });
}

}  // namespace

Status migrate(SqlSession& session) {
  auto found = session.guarded("schema version", [&] {
    session.sql() << "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)";
    long long version = 0;
    session.sql() << "SELECT COALESCE(MAX(version), 0) FROM schema_version", soci::into(version);
    return version;
  });
  if (!found.ok()) return found.error();
  const auto files = schema_files();
  if (*found > static_cast<long long>(files.size()))
    return make_error(
        Code::kFailedPrecondition,
        fmt::format("the data belongs to a newer noren (schema {}; this program knows {}): use that one",
                    *found, files.size()));
  for (const SchemaFile& file : files) {
    if (file.version <= *found) continue;
    TRY(apply(session, file));
    log(LogLevel::kInfo, "store.schema", {{"version", file.version}, {"name", file.name}});
  }
  return Ok{};
}

}  // namespace noren::server
