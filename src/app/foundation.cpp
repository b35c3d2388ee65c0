#include "app/foundation.h"

#include "base/log.h"
#include "server/control_plane/accounts/accounts.h"
#include "server/store/sqlite/sqlite_store.h"

namespace noren::app {

using namespace server;

namespace {

/// The credentials go into admin.json before the store knows them: a crash between the two leaves a file that
/// the next start reads and uses, never an admin whom nobody can be.
Result<FirstAdmin> first_admin(const DataFolder& folder) {
  const auto written = read_admin_file(folder.admin_file_path());
  if (written.ok()) return FirstAdmin{written->user, written->password, written->token};
  if (written.error().code != Code::kNotFound) return written.error();
  FirstAdmin admin = Accounts::make_first_admin();
  TRY(write_admin_file(folder.admin_file_path(),
                       {"http://127.0.0.1", admin.name, admin.password, admin.token}));
  return admin;
}

Status make_admin_if_first(const DataFolder& folder, Store& store, const Keyring& keyring) {
  Accounts accounts(store, keyring, system_clock());
  ASSIGN_OR_RETURN(const bool initialised, accounts.is_initialised());
  if (initialised) return Ok{};
  ASSIGN_OR_RETURN(const FirstAdmin admin, first_admin(folder));
  TRY(accounts.create_first_admin(admin));
  log(LogLevel::kInfo, "data.initialised", {{"folder", folder.path()}, {"admin", admin.name}});
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<Foundation>> lay_foundation(const Settings& settings) {
  ASSIGN_OR_RETURN(DataFolder folder, DataFolder::open(settings.data));
  const auto missing =
      folder.has_database() ? DataFolder::MissingKey::kRefuse : DataFolder::MissingKey::kMake;
  ASSIGN_OR_RETURN(const Secret master_key, folder.master_key(missing));
  ASSIGN_OR_RETURN(Keyring keyring, Keyring::from_master_key(master_key));
  ASSIGN_OR_RETURN(auto store, open_sqlite_store(folder.database_path()));
  TRY(make_admin_if_first(folder, *store, keyring));
  ASSIGN_OR_RETURN(FolderBlobStore blobs, FolderBlobStore::open(folder.blobs_path()));
  ASSIGN_OR_RETURN(auto counters, UsageCounters::open(folder.counters_path(), system_clock()));
  return std::make_unique<Foundation>(Foundation{std::move(folder), std::move(keyring), std::move(store),
                                                 std::move(blobs), std::move(counters)});
}

Status announce_url(const DataFolder& folder, const std::string& url) {
  auto file = read_admin_file(folder.admin_file_path());
  if (!file.ok()) return file.error().code == Code::kNotFound ? Status(Ok{}) : Status(file.error());
  file->url = url;
  return write_admin_file(folder.admin_file_path(), *file);
}

}  // namespace noren::app
