// The config file of a server.
#include <unistd.h>

#include "base/check.h"
#include "base/unique_fd.h"
#include "server/config/options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace noren;
  static const UniqueFd file = create_memfd("config").value();
  static const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  CHECK(::ftruncate(file.get(), 0) == 0 && ::lseek(file.get(), 0, SEEK_SET) == 0);
  CHECK(write_all(file.get(), {data, size}).ok());
  const auto settings = server::make_settings(path, {});
  if (!settings.ok()) {
    CHECK(settings.error().code == Code::kInvalidArgument && !settings.error().text.empty());
    return 0;
  }
  CHECK(settings->deadline_ms >= 1 && settings->per_request_body_bytes >= 1024);
  return 0;
}
