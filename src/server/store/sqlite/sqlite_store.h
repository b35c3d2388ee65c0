// server/store/sqlite/sqlite_store.h - The store in one SQLite file (WAL), for a server that is alone on its
// data folder. Opened by app at start, then used as a Store on the control thread.
#pragma once

#include <memory>
#include <string>

#include "server/store/store.h"

namespace noren::server {

/// Opens or makes the file (mode 0600). ":memory:" is a database that nobody else sees.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path);

}  // namespace noren::server
