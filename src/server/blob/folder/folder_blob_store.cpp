#include "server/blob/folder/folder_blob_store.h"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace noren::server {
namespace {

namespace fs = std::filesystem;
constexpr const char* kUnfinished = "unfinished";  // folder of temporary files

Error cannot_write(const std::string& path, std::string_view step) {
  if (errno == ENOSPC || errno == EDQUOT)
    return system_error(Code::kExhausted, "no space is left for model files", path);
  return system_error(Code::kUnavailable, "a model file could not be written",
                      std::string(step) + " " + path);
}

Status sync_folder(const std::string& path) {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) return cannot_write(path, "fsync");
  return Ok{};
}

/// Whether the folder is there now; a new one is made durable in its parent.
Status make_folder(const std::string& parent, const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return sync_folder(parent);
  if (errno == EEXIST) return Ok{};
  return cannot_write(path, "mkdir");
}

Status write_file(const std::string& path, ByteView bytes) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return cannot_write(path, "open");
  const Status written = write_all(file.get(), bytes);
  if (!written.ok()) return cannot_write(path, "write");
  if (::fsync(file.get()) != 0) return cannot_write(path, "fsync");
  return Ok{};
}

}  // namespace

Result<FolderBlobStore> FolderBlobStore::open(const std::string& folder) {
  const fs::path parent = fs::path(folder).parent_path();
  TRY(make_folder(parent.empty() ? "." : parent.string(), folder));
  std::error_code failure;
  fs::remove_all(fs::path(folder) / kUnfinished, failure);
  TRY(make_folder(folder, folder + "/" + kUnfinished));
  return FolderBlobStore(folder);
}

std::string FolderBlobStore::path_of(const std::string& name) const {
  return folder_ + "/" + name.substr(0, 2) + "/" + name;
}

Result<std::string> FolderBlobStore::put(ByteView bytes) {
  const std::string name = sha256_hex(bytes);
  const std::string path = path_of(name);
  // What stands under the name already is kept only when it still is what the name says.
  if (::access(path.c_str(), R_OK) == 0 && load(name).ok()) return name;
  const std::string shelf = folder_ + "/" + name.substr(0, 2);
  TRY(make_folder(folder_, shelf));
  const std::string temporary = folder_ + "/" + kUnfinished + "/" + name + "." + std::to_string(::getpid());
  ::unlink(temporary.c_str());
  const Status written = write_file(temporary, bytes);
  if (!written.ok()) {
    ::unlink(temporary.c_str());
    return written.error();
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return cannot_write(path, "rename");
  TRY(sync_folder(shelf));
  return name;
}

Result<UniqueFd> FolderBlobStore::load(const std::string& name) const {
  if (!is_blob_name(name))
    return make_error(Code::kNotFound, "the model file is not in the store", "bad blob name");
  const std::string path = path_of(name);
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return system_error(Code::kNotFound, "the model file is not in the store", path);
  ASSIGN_OR_RETURN(const Mapping mapping, Mapping::map(file.get()));
  if (sha256_hex(mapping.bytes()) != name)
    return make_error(Code::kCorrupt, "the stored model file is damaged", path);
  return sealed_memfd("noren-blob", mapping.bytes());
}

Status FolderBlobStore::remove(const std::string& name) {
  if (!is_blob_name(name)) return Ok{};
  const std::string path = path_of(name);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return system_error(Code::kUnavailable, "a model file could not be removed", path);
  return Ok{};
}

Result<std::vector<BlobInfo>> FolderBlobStore::list() const {
  std::vector<BlobInfo> all;
  std::error_code failure;
  for (fs::recursive_directory_iterator it(folder_, failure), end; it != end && !failure;
       it.increment(failure)) {
    const std::string name = it->path().filename().string();
    struct stat status {};
    if (!is_blob_name(name) || ::stat(it->path().c_str(), &status) != 0) continue;
    all.push_back({name, static_cast<std::uint64_t>(status.st_size),
                   std::int64_t{status.st_mtim.tv_sec} * 1'000'000 + status.st_mtim.tv_nsec / 1000});
  }
  if (failure)
    return make_error(Code::kUnavailable, "the folder of model files can't be read", failure.message());
  return all;
}

}  // namespace noren::server
