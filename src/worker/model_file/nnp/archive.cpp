#include "worker/model_file/nnp/archive.h"

#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/limits.h"
#include "worker/model_file/text.h"

namespace noren::worker::nnp {
namespace {

/// What deflate can reach at best (a run of one byte), a little rounded up.
constexpr std::uint64_t kDeflateRatio = 1'040;

std::uint64_t little_endian(ByteView bytes, std::size_t offset, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value |= std::uint64_t{bytes[offset + i]} << (8 * i);
  return value;
}

/// How many members the archive's end record declares; the library would reserve memory for them.
std::uint64_t declared_members_count(ByteView file) {
  constexpr std::size_t kEndRecordBytes = 22, kLocatorBytes = 20, kCommentBytes = 65'535;
  if (file.size() < kEndRecordBytes) return 0;
  const std::size_t last = file.size() - kEndRecordBytes;
  const std::size_t first = last > kCommentBytes ? last - kCommentBytes : 0;
  for (std::size_t at = last + 1; at-- > first;) {
    if (std::memcmp(file.data() + at, "PK\5\6", 4) != 0) continue;
    const std::uint64_t count = little_endian(file, at + 10, 2);
    if (count != 0xffff || at < kLocatorBytes) return count;
    const std::size_t locator = at - kLocatorBytes;
    if (std::memcmp(file.data() + locator, "PK\6\7", 4) != 0) return count;
    const std::uint64_t record = little_endian(file, locator + 8, 8);
    if (record > file.size() || file.size() - record < 40) return count;
    return little_endian(file, static_cast<std::size_t>(record) + 32, 8);
  }
  return 0;
}

Error too_many_members(std::size_t limit_count) {
  return make_error(Code::kTooLarge, "the archive has more than " + std::to_string(limit_count) + " members");
}

Error archive_error(int code) {
  switch (code) {
    case ZIP_ER_NOZIP:
      return make_error(Code::kCorrupt, "the file is cut off: the archive's list of members is missing");
    case ZIP_ER_MEMORY: return make_error(Code::kTooLarge, "the archive needs more memory than there is");
    case ZIP_ER_MULTIDISK: return unsupported("the archive is split over several files");
    default: return make_error(Code::kCorrupt, "the archive is damaged or cut off");
  }
}

Error member_error(const ArchiveMember& member, int code) {
  const std::string name = quoted_name(member.name);
  switch (code) {
    case ZIP_ER_CRC:
      return make_error(Code::kCorrupt,
                        "member " + name + " of the archive is damaged: its checksum is wrong");
    case ZIP_ER_MEMORY:
      return make_error(Code::kTooLarge,
                        "member " + name + " of the archive needs more memory than there is");
    default: return make_error(Code::kCorrupt, "member " + name + " of the archive is damaged or cut off");
  }
}

/// Refuses names that would leave the folder if somebody unpacked the archive.
Status check_member_name(std::string_view name) {
  const auto refuse = [&](const char* why) {
    return invalid("member " + quoted_name(name) + " of the archive " + why);
  };
  if (name.empty()) return invalid("a member of the archive has no name");
  if (name.size() > limits::kNameBytes) return refuse("has a name that is too long");
  if (name.find('\0') != std::string_view::npos) return refuse("has a name with a zero byte");
  const auto separates = [](char c) { return c == '/' || c == '\\'; };
  if (separates(name[0]) || (name.size() > 1 && name[1] == ':')) return refuse("has an absolute path");
  for (std::size_t begin = 0; begin <= name.size();) {
    std::size_t end = begin;
    while (end < name.size() && !separates(name[end])) ++end;
    if (name.substr(begin, end - begin) == "..") return refuse("leaves the folder");
    begin = end + 1;
  }
  return Ok{};
}

class ViewSource final : public ByteSource {
 public:
  explicit ViewSource(ByteView bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::span<std::uint8_t> target) override {
    const std::size_t count = std::min(target.size(), bytes_.size());
    if (count > 0) std::memcpy(target.data(), bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return count;
  }
  std::uint64_t bytes_left_at_most() const override { return bytes_.size(); }

 private:
  ByteView bytes_;
};

struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using FileHandle = std::unique_ptr<zip_file_t, CloseFile>;

class MemberSource final : public ByteSource {
 public:
  MemberSource(FileHandle file, const ArchiveMember& member, std::uint64_t limit_bytes)
      : file_(std::move(file)), member_(member), limit_bytes_(limit_bytes) {}

  Result<std::size_t> read(std::span<std::uint8_t> target) override {
    if (target.empty()) return std::size_t{0};
    const zip_int64_t count = zip_fread(file_.get(), target.data(), target.size());
    if (count < 0) return member_error(member_, zip_error_code_zip(zip_file_get_error(file_.get())));
    total_bytes_ += static_cast<std::uint64_t>(count);
    if (total_bytes_ > limit_bytes_) {
      return make_error(Code::kTooLarge, "member " + quoted_name(member_.name) +
                                             " of the archive unpacks to more than " +
                                             std::to_string(limit_bytes_ / limits::kMiB) + " MiB");
    }
    if (total_bytes_ > member_.declared_bytes || (count == 0 && total_bytes_ != member_.declared_bytes)) {
      return make_error(Code::kCorrupt, "member " + quoted_name(member_.name) +
                                            " of the archive has another size than the archive declares");
    }
    return static_cast<std::size_t>(count);
  }

  std::uint64_t bytes_left_at_most() const override {
    const std::uint64_t possible =
        member_.deflated ? (member_.stored_bytes + 1) * kDeflateRatio : member_.stored_bytes;
    const std::uint64_t most = std::min({possible, member_.declared_bytes, limit_bytes_});
    return most > total_bytes_ ? most - total_bytes_ : 0;
  }

 private:
  FileHandle file_;
  ArchiveMember member_;
  std::uint64_t limit_bytes_;
  std::uint64_t total_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> source_of(ByteView bytes) { return std::make_unique<ViewSource>(bytes); }

struct Archive::State {
  ByteView file;
  zip_source_t* source = nullptr;
  zip_t* archive = nullptr;
  ~State() {
    if (archive != nullptr) zip_discard(archive);
    if (source != nullptr) zip_source_free(source);
  }
};

Archive::Archive(std::unique_ptr<State> state) : state_(std::move(state)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive::~Archive() = default;

Result<Archive> Archive::open(ByteView file, std::size_t members_limit_count) {
  if (file.empty()) return invalid("the file is empty");
  if (file.size() > limits::kModelFileBytes) {
    return make_error(Code::kTooLarge, "the file is larger than " +
                                           std::to_string(limits::kModelFileBytes / limits::kGiB) + " GiB");
  }
  if (file.size() < 4 || file[0] != 'P' || file[1] != 'K')
    return invalid("the file is no zip archive (.nnp)");
  if (declared_members_count(file) > members_limit_count) return too_many_members(members_limit_count);
  auto state = std::make_unique<State>();
  state->file = file;
  zip_error_t error;
  zip_error_init(&error);
  state->source = zip_source_buffer_create(file.data(), file.size(), 0, &error);
  if (state->source == nullptr) return archive_error(ZIP_ER_MEMORY);
  zip_source_keep(state->source);
  state->archive = zip_open_from_source(state->source, ZIP_RDONLY, &error);
  const int code = zip_error_code_zip(&error);
  zip_error_fini(&error);
  if (state->archive == nullptr) {
    zip_source_free(state->source);  // the archive would have owned this reference
    return archive_error(code);
  }
  Archive archive(std::move(state));
  TRY(archive.read_members(members_limit_count));
  return archive;
}

Status Archive::read_members(std::size_t members_limit_count) {
  const zip_int64_t count = zip_get_num_entries(state_->archive, 0);
  if (count <= 0) return invalid("the archive is empty");
  if (count > static_cast<zip_int64_t>(members_limit_count)) return too_many_members(members_limit_count);
  std::set<std::string, std::less<>> names;
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t entry;
    if (zip_stat_index(state_->archive, static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW, &entry) != 0) {
      return archive_error(ZIP_ER_INCONS);
    }
    const std::string name = entry.name == nullptr ? "" : entry.name;
    TRY(check_member_name(name));
    if (!names.insert(name).second) return invalid("the archive has two members named " + quoted_name(name));
    if (entry.encryption_method != ZIP_EM_NONE) {
      return unsupported("member " + quoted_name(name) + " of the archive is encrypted");
    }
    if (name.back() == '/') continue;
    if (entry.comp_method != ZIP_CM_STORE && entry.comp_method != ZIP_CM_DEFLATE) {
      return unsupported("member " + quoted_name(name) +
                         " of the archive is compressed by an unusual method (" +
                         std::to_string(entry.comp_method) + ")");
    }
    members_.push_back({name, static_cast<std::uint64_t>(i),
                        std::min<std::uint64_t>(entry.comp_size, state_->file.size()), entry.size,
                        entry.comp_method == ZIP_CM_DEFLATE, entry.crc});
  }
  return Ok{};
}

Result<std::unique_ptr<ByteSource>> Archive::open_member(const ArchiveMember& member,
                                                         std::uint64_t limit_bytes) {
  FileHandle file(zip_fopen_index(state_->archive, member.index, 0));
  if (!file) return member_error(member, zip_error_code_zip(zip_get_error(state_->archive)));
  return std::unique_ptr<ByteSource>(std::make_unique<MemberSource>(std::move(file), member, limit_bytes));
}

Result<Bytes> Archive::read_member(const ArchiveMember& member, std::uint64_t limit_bytes) {
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, open_member(member, limit_bytes));
  constexpr std::size_t kStepBytes = 256 * limits::kKiB;
  Bytes bytes;
  bytes.reserve(static_cast<std::size_t>(source->bytes_left_at_most()));
  for (;;) {
    const std::size_t size = bytes.size();
    bytes.resize(size + kStepBytes);
    ASSIGN_OR_RETURN(const std::size_t count, source->read(std::span(bytes).subspan(size)));
    bytes.resize(size + count);
    if (count == 0) return bytes;
  }
}

std::optional<ByteView> Archive::view_member(const ArchiveMember& member) {
  if (member.deflated || member.declared_bytes == 0 || member.declared_bytes > state_->file.size()) return {};
  FileHandle file(zip_fopen_index(state_->archive, member.index, 0));
  if (!file) return {};
  // The library does not say where a member's bytes begin; after one byte was read, its position in the file
  // does.
  std::uint8_t first = 0;
  if (zip_fread(file.get(), &first, 1) != 1) return {};
  const zip_int64_t position = zip_source_tell(state_->source);
  if (position < 1) return {};
  const auto begin = static_cast<std::uint64_t>(position - 1);
  if (begin > state_->file.size() || state_->file.size() - begin < member.declared_bytes) return {};
  const ByteView view =
      state_->file.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(member.declared_bytes));
  if (crc32_z(0, view.data(), view.size()) != member.crc) return {};
  return view;
}

}  // namespace noren::worker::nnp
