// server/blob/memory_blob_store.h - Blobs in memory: the twin for tests.
// One thread. Forgets everything when destroyed.
#pragma once

#include <map>
#include <optional>

#include "server/blob/blob_store.h"

namespace noren::server {

class MemoryBlobStore final : public BlobStore {
 public:
  Result<std::string> put(ByteView bytes) override;
  Result<UniqueFd> load(const std::string& name) const override;
  Status remove(const std::string& name) override;
  Result<std::vector<BlobInfo>> list() const override;

  /// So many more are taken, and then there is no room, as on a full disk.
  void fill_up_after(std::size_t count) { taken_until_full_count_ = count; }

 private:
  std::map<std::string, Bytes> blobs_;
  std::optional<std::size_t> taken_until_full_count_;
};

}  // namespace noren::server
