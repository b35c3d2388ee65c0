// What stands before the first request: the data folder, its keys, its store and blobs, the first admin.
#pragma once

#include <memory>

#include "server/blob/folder/folder_blob_store.h"
#include "server/config/settings.h"
#include "server/data_folder/data_folder.h"
#include "server/data_plane/usage_counters.h"
#include "server/keyring/keyring.h"
#include "server/store/store.h"

namespace noren::app {

struct Foundation {
  server::DataFolder folder;
  server::Keyring keyring;
  std::unique_ptr<server::Store> store;
  server::FolderBlobStore blobs;
  std::unique_ptr<server::UsageCounters> counters;
};

/// Opens the data folder; an empty one is initialised. On the main thread, before any other.
Result<std::unique_ptr<Foundation>> lay_foundation(const server::Settings& settings);

/// DIR/admin.json now says this URL. One that somebody removed stays removed.
Status announce_url(const server::DataFolder& folder, const std::string& url);

}  // namespace noren::app
