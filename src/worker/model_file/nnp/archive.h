// worker/model_file/nnp/archive.h - A zip archive, an .nnp or one of result folders: its members, read in
// bounded pieces. Used by read_nnp() and unpack_results() on their one thread. Never writes, never opens a
// file, never believes a declared size; refuses encrypted members, names that leave the folder, and two
// members of one name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace noren::worker::nnp {

/// Bytes that are pulled. After an error it is not read again.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills as much of `target` as there is; 0 at the end.
  virtual Result<std::size_t> read(std::span<std::uint8_t> target) = 0;
  /// No more bytes than this can still come, whatever the file declares.
  virtual std::uint64_t bytes_left_at_most() const = 0;
};

/// A source over bytes that are in memory and outlive it.
std::unique_ptr<ByteSource> source_of(ByteView bytes);

struct ArchiveMember {
  std::string name;
  std::uint64_t index = 0;
  std::uint64_t stored_bytes = 0;  ///< compressed size, checked against the file
  std::uint64_t declared_bytes = 0;
  bool deflated = false;
  std::uint32_t crc = 0;
};

class Archive {
 public:
  /// `file` must outlive the archive.
  static Result<Archive> open(ByteView file, std::size_t members_limit_count = limits::kArchiveMembersCount);
  Archive(Archive&&) noexcept;
  ~Archive();

  /// Files only, in the archive's order.
  const std::vector<ArchiveMember>& members() const { return members_; }
  /// The member's bytes as they come; ends with an error where they are damaged or more than `limit_bytes`.
  Result<std::unique_ptr<ByteSource>> open_member(const ArchiveMember& member, std::uint64_t limit_bytes);
  /// The member as one block.
  Result<Bytes> read_member(const ArchiveMember& member, std::uint64_t limit_bytes);
  /// The member's bytes in place where it is stored uncompressed, with the right checksum; else nothing.
  std::optional<ByteView> view_member(const ArchiveMember& member);

 private:
  struct State;
  explicit Archive(std::unique_ptr<State> state);
  Status read_members(std::size_t members_limit_count);
  std::unique_ptr<State> state_;
  std::vector<ArchiveMember> members_;
};

}  // namespace noren::worker::nnp
