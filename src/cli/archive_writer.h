// A zip archive of files as they are, uncompressed, in a file without a name. Looks into none of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace noren::cli {

class ArchiveWriter {
 public:
  static Result<ArchiveWriter> open();

  /// Adds a file under this name (UTF-8, parts divided by '/'). kTooLarge where the archive would be larger
  /// than a server takes.
  Status add(const std::string& name, const std::string& path);
  /// Writes the list of members; nothing is added after it.
  Status finish();
  /// Opens the archive while this object lives.
  std::string path() const;

 private:
  struct Member {
    std::string name;
    std::uint32_t checksum = 0, size_bytes = 0, offset = 0;
  };
  explicit ArchiveWriter(UniqueFd file) : file_(std::move(file)) {}
  Status copy(int source, Member& member);

  UniqueFd file_;
  std::vector<Member> members_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace noren::cli
