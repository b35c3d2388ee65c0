// server/blob/blob_store.h - Blobs: model files and packages, named by the SHA-256 of their bytes.
// Called by the control plane (put, remove) and by whoever loads a package for an instance, on their own
// threads, never on the event loop. Nothing is ever changed in place; what is read is checked against its
// name. Never looks inside.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace noren::server {

struct BlobInfo {
  std::string name;
  std::uint64_t size_bytes = 0;
  WallUs written_us = 0;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;
  /// Keeps the bytes and returns their name; durable when it returns. Bytes that are there already cost
  /// nothing more.
  virtual Result<std::string> put(ByteView bytes) = 0;
  /// The bytes in a sealed memory file. kNotFound; kCorrupt where the bytes no longer match their name.
  virtual Result<UniqueFd> load(const std::string& name) const = 0;
  /// Removing what is not there is no error.
  virtual Status remove(const std::string& name) = 0;
  virtual Result<std::vector<BlobInfo>> list() const = 0;
};

/// Lower-case hex of the SHA-256.
std::string sha256_hex(ByteView bytes);
/// 64 lower-case hex digits, and so never a path.
bool is_blob_name(std::string_view text);

}  // namespace noren::server
