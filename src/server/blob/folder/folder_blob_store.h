// server/blob/folder/folder_blob_store.h - Blobs in a folder: one file each, in sub-folders of their first
// two digits. Called on the control thread and on loading threads; each call stands for itself. Files are
// written under a temporary name, synced and renamed, so that a name stands for whole bytes or for nothing,
// also after a crash.
#pragma once

#include <string>

#include "server/blob/blob_store.h"

namespace noren::server {

class FolderBlobStore final : public BlobStore {
 public:
  /// Makes the folder where it is missing and removes what a crash left half-written.
  static Result<FolderBlobStore> open(const std::string& folder);

  Result<std::string> put(ByteView bytes) override;
  Result<UniqueFd> load(const std::string& name) const override;
  Status remove(const std::string& name) override;
  Result<std::vector<BlobInfo>> list() const override;

 private:
  explicit FolderBlobStore(std::string folder) : folder_(std::move(folder)) {}
  std::string path_of(const std::string& name) const;
  std::string folder_;
};

}  // namespace noren::server
