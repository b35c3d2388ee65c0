#include "server/blob/memory_blob_store.h"

namespace noren::server {

Result<std::string> MemoryBlobStore::put(ByteView bytes) {
  if (taken_until_full_count_ && (*taken_until_full_count_)-- == 0) {
    taken_until_full_count_ = 0;
    return make_error(Code::kExhausted, "no space is left for model files");
  }
  const std::string name = sha256_hex(bytes);
  blobs_[name] = Bytes(bytes.begin(), bytes.end());
  return name;
}

Result<UniqueFd> MemoryBlobStore::load(const std::string& name) const {
  const auto found = blobs_.find(name);
  if (found == blobs_.end()) return make_error(Code::kNotFound, "the model file is not in the store", name);
  return sealed_memfd("noren-blob", found->second);
}

Status MemoryBlobStore::remove(const std::string& name) {
  blobs_.erase(name);
  return Ok{};
}

Result<std::vector<BlobInfo>> MemoryBlobStore::list() const {
  std::vector<BlobInfo> all;
  for (const auto& [name, bytes] : blobs_) all.push_back({name, bytes.size(), 0});
  return all;
}

}  // namespace noren::server
