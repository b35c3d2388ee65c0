// server/data_folder/data_folder.h - The data folder: where things lie in it, its lock, its master key,
// admin.json. Opened by app at start, on the main thread, and held until the server ends. The lock is the
// kernel's (flock), so that it goes with the process, however that ends. Never reads the store or a blob.
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "base/unique_fd.h"

namespace noren::server {

/// What DIR/admin.json says: how the CLI on this machine finds the server and who it is.
struct AdminFile {
  std::string url;
  std::string user;
  Secret password;
  Secret token;
};

class DataFolder {
 public:
  /// Makes the folder where it is missing and takes its lock. kAlreadyExists where another server has it.
  static Result<DataFolder> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string database_path() const { return path_ + "/noren.db"; }
  bool has_database() const;
  /// Of the data plane's counters.
  std::string counters_path() const { return path_ + "/usage.counters"; }
  std::string blobs_path() const { return path_ + "/blobs"; }
  std::string admin_file_path() const { return path_ + "/admin.json"; }

  /// The master key of NOREN_MASTER_KEY or of DIR/master.key. `make_missing` belongs to a first start:
  /// afterwards a missing key must be an error, since a new one would make every stored key useless.
  enum class MissingKey { kMake, kRefuse };
  Result<Secret> master_key(MissingKey missing) const;

 private:
  DataFolder(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
};

Result<AdminFile> read_admin_file(const std::string& path);
/// Mode 0600, replaced in one step.
Status write_admin_file(const std::string& path, const AdminFile& file);

}  // namespace noren::server
