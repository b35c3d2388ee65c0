#include "cli/archive_writer.h"

#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <boost/crc.hpp>

#include "base/bytes.h"
#include "base/limits.h"

namespace noren::cli {
namespace {

constexpr std::size_t kMembersCount = 60'000;  // what fits into an archive without its newer additions
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kNamesAreUtf8 = 0x0800;
constexpr std::uint16_t kFirstDay = 0x0021;  // 1980-01-01: the archive says nothing of times

/// Little-endian fields, one after the other.
class Fields {
 public:
  Fields& four(std::uint32_t value) { return two(value & 0xffff).two(value >> 16); }
  Fields& two(std::uint32_t value) {
    bytes_.push_back(static_cast<std::uint8_t>(value));
    bytes_.push_back(static_cast<std::uint8_t>(value >> 8));
    return *this;
  }
  Fields& text(const std::string& value) {
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

/// Version, flags, method, time, day, checksum, sizes: the same in both places.
void add_facts(Fields& fields, std::uint32_t checksum, std::uint32_t size_bytes, std::size_t name_bytes) {
  fields.two(kVersion).two(kNamesAreUtf8).two(0).two(0).two(kFirstDay);
  fields.four(checksum).four(size_bytes).four(size_bytes).two(static_cast<std::uint32_t>(name_bytes));
}

Error no_room() { return system_error(Code::kExhausted, "no room for a temporary file", "write"); }

}  // namespace

Result<ArchiveWriter> ArchiveWriter::open() {
  const char* folder = std::getenv("TMPDIR");
  std::string name = std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/noren-XXXXXX";
  UniqueFd file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.valid()) return system_error(Code::kUnavailable, "no temporary file can be made", name);
  ::unlink(name.c_str());
  return ArchiveWriter(std::move(file));
}

std::string ArchiveWriter::path() const { return fmt::format("/proc/self/fd/{}", file_.get()); }

Status ArchiveWriter::copy(int source, Member& member) {
  boost::crc_32_type checksum;
  Bytes piece(limits::kMiB);
  std::uint64_t size_bytes = 0;
  while (true) {
    const ssize_t count = ::read(source, piece.data(), piece.size());
    if (count < 0) return system_error(Code::kInvalidArgument, "can't read " + member.name, "read");
    if (count == 0) break;
    size_bytes += static_cast<std::uint64_t>(count);
    if (size_bytes_ + size_bytes > limits::kModelFileBytes - limits::kMiB)
      return make_error(Code::kTooLarge,
                        fmt::format("the folder holds more than the {} GiB that a server takes at once",
                                    limits::kModelFileBytes / limits::kGiB));
    checksum.process_bytes(piece.data(), static_cast<std::size_t>(count));
    if (!write_all(file_.get(), ByteView(piece).first(static_cast<std::size_t>(count))).ok())
      return no_room();
  }
  member.checksum = checksum.checksum();
  member.size_bytes = static_cast<std::uint32_t>(size_bytes);
  size_bytes_ += size_bytes;
  return Ok{};
}

Status ArchiveWriter::add(const std::string& name, const std::string& path) {
  if (members_.size() == kMembersCount || name.size() > limits::kNameBytes)
    return make_error(Code::kTooLarge, fmt::format("{}: too many files, or too long a name", name));
  const UniqueFd source(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source.valid()) return system_error(Code::kInvalidArgument, "can't read " + path, "open");
  Member member{name, 0, 0, static_cast<std::uint32_t>(size_bytes_)};
  const auto head_of = [&] {
    Fields head;
    head.four(0x04034b50);
    add_facts(head, member.checksum, member.size_bytes, name.size());
    head.two(0).text(name);
    return head.bytes();
  };
  const Bytes unknown = head_of();
  if (!write_all(file_.get(), unknown).ok()) return no_room();
  size_bytes_ += unknown.size();
  TRY(copy(source.get(), member));
  const Bytes head = head_of();
  const ssize_t count = ::pwrite(file_.get(), head.data(), head.size(), static_cast<off_t>(member.offset));
  if (count != static_cast<ssize_t>(head.size())) return no_room();
  members_.push_back(std::move(member));
  return Ok{};
}

Status ArchiveWriter::finish() {
  Fields list;
  for (const Member& member : members_) {
    list.four(0x02014b50).two(kVersion);
    add_facts(list, member.checksum, member.size_bytes, member.name.size());
    list.two(0).two(0).two(0).two(0).four(0).four(member.offset).text(member.name);
  }
  const auto list_bytes = static_cast<std::uint32_t>(list.bytes().size());
  const auto count = static_cast<std::uint32_t>(members_.size());
  list.four(0x06054b50).two(0).two(0).two(count).two(count);
  list.four(list_bytes).four(static_cast<std::uint32_t>(size_bytes_)).two(0);
  return write_all(file_.get(), list.bytes()).ok() ? Status(Ok{}) : Status(no_room());
}

}  // namespace noren::cli
