#include "server/data_folder/data_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "base/bytes.h"

namespace noren::server {
namespace {

constexpr std::size_t kSmallFileBytes = 64 * 1024;

Error io_error(std::string_view doing, const std::string& path) {
  const std::string reason = std::generic_category().message(errno);
  return make_error(Code::kUnavailable, fmt::format("can't {} {}: {}", doing, path, reason));
}

Result<std::string> read_small_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid())
    return errno == ENOENT ? make_error(Code::kNotFound, path + " is not there") : io_error("read", path);
  std::string text(kSmallFileBytes, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return io_error("read", path);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

Status sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const UniqueFd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return io_error("sync", folder);
  return Ok{};
}

/// A private file (0600) that is there whole or not at all.
Status write_private_file(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  {
    const UniqueFd file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) return io_error("write", temporary);
    if (!write_all(file.get(), bytes_of(text)).ok() || ::fsync(file.get()) != 0)
      return io_error("write", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return io_error("write", path);
  return sync_folder_of(path);
}

std::string member(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure)
    return make_error(Code::kUnavailable, fmt::format("can't make folder {}: {}", path, failure.message()));
  const std::string lock_path = path + "/lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return io_error("open", lock_path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("lock", lock_path);
    return make_error(Code::kAlreadyExists,
                      fmt::format("data folder {} is in use by another noren server", path));
  }
  return DataFolder(path, std::move(lock));
}

bool DataFolder::has_database() const { return ::access(database_path().c_str(), F_OK) == 0; }

Result<Secret> DataFolder::master_key(MissingKey missing) const {
  if (const char* given = std::getenv("NOREN_MASTER_KEY"); given != nullptr && *given != '\0') {
    Secret key{std::string(given)};
    // Child processes of ours must not inherit it.
    ::unsetenv("NOREN_MASTER_KEY");
    return key;
  }
  const std::string file = path_ + "/master.key";
  auto text = read_small_file(file);
  if (text.ok()) {
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return Secret(std::move(*text));
  }
  if (text.error().code != Code::kNotFound) return text.error();
  if (missing == MissingKey::kRefuse)
    return make_error(
        Code::kFailedPrecondition,
        fmt::format("{} is missing: without it the stored keys can't be read. Put it back from a backup "
                    "or set NOREN_MASTER_KEY",
                    file));
  Secret key(random_hex(32));
  TRY(write_private_file(file, std::string(key.reveal()) + "\n"));
  return key;
}

Result<AdminFile> read_admin_file(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, read_small_file(path));
  boost::json::error_code failure;
  const boost::json::value value = boost::json::parse(text, failure);
  if (failure || !value.is_object()) return make_error(Code::kCorrupt, path + " is not a JSON object");
  const auto& object = value.get_object();
  AdminFile file;
  file.url = member(object, "url");
  file.user = member(object, "user");
  file.password = Secret(member(object, "password"));
  file.token = Secret(member(object, "token"));
  if (file.url.empty() || file.token.empty())
    return make_error(Code::kCorrupt, path + " lacks \"url\" or \"token\"");
  return file;
}

Status write_admin_file(const std::string& path, const AdminFile& file) {
  boost::json::object object;
  object["url"] = file.url;
  object["user"] = file.user;
  object["password"] = file.password.reveal();
  object["token"] = file.token.reveal();
  return write_private_file(path, boost::json::serialize(object) + "\n");
}

}  // namespace noren::server
