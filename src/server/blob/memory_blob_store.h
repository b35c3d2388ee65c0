// server/blob/memory_blob_store.h - Blobs in memory: the twin for tests.
// One thread. Forgets everything when destroyed.
#pragma once

#include <map>

#include "server/blob/blob_store.h"

namespace noren::server {

class MemoryBlobStore final : public BlobStore {
 public:
  Result<std::string> put(ByteView bytes) override;
  Result<UniqueFd> load(const std::string& name) const override;
  Status remove(const std::string& name) override;
  Result<std::vector<BlobInfo>> list() const override;

 private:
  std::map<std::string, Bytes> blobs_;
};

}  // namespace noren::server
