#include "worker/sandbox/landlock.h"

#include <cstdint>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace noren::worker {
namespace {

// The kernel's interface, written out: the headers of Debian 12 know only its first three versions.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;

struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
};

constexpr std::uint64_t lowest_bits(unsigned count) { return (std::uint64_t{1} << count) - 1; }

// Rights on files, by their bits.
constexpr std::uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadFolder = 1 << 3;
constexpr std::uint64_t kDeviceControl = 1 << 15;
constexpr unsigned kDeviceControlSince = 5;

struct __attribute__((packed)) PathRule {
  std::uint64_t allowed = 0;
  std::int32_t parent = -1;
};
constexpr int kPathRuleKind = 1;

Status allow(const UniqueFd& ruleset, const std::string& path, std::uint64_t rights) {
  const UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place.valid()) return Ok{};
  struct stat kind {};
  if (::fstat(place.get(), &kind) == 0 && !S_ISDIR(kind.st_mode)) rights &= ~kReadFolder;
  const PathRule rule{rights, place.get()};
  if (::syscall(kAddRule, ruleset.get(), kPathRuleKind, &rule, 0) != 0)
    return system_error(Code::kUnavailable, "the sandbox could not be prepared", "landlock_add_rule");
  return Ok{};
}

}  // namespace

Status Landlock::allow_reading(const std::string& path) const {
  return abi == 0 ? Status(Ok{}) : allow(ruleset, path, kExecute | kReadFile | kReadFolder);
}

Status Landlock::allow_device(const std::string& path) const {
  const std::uint64_t control = abi >= kDeviceControlSince ? kDeviceControl : 0;
  return abi == 0 ? Status(Ok{}) : allow(ruleset, path, kReadFile | kWriteFile | control);
}

Landlock Landlock::open() {
  Landlock landlock;
  const long version = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  if (version <= 0) return landlock;
  // Version 1 has 13 rights on files; 2 adds refer, 3 truncate, 5 device ioctl; 4 adds bind and connect of
  // TCP; 6 adds the scopes of abstract sockets and signals.
  RulesetAttributes attributes;
  attributes.files = lowest_bits(version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13);
  attributes.network = version >= 4 ? lowest_bits(2) : 0;
  attributes.scopes = version >= 6 ? lowest_bits(2) : 0;
  const std::size_t size = version >= 6 ? sizeof attributes : version >= 4 ? 16 : 8;
  landlock.ruleset.reset(static_cast<int>(::syscall(kCreateRuleset, &attributes, size, 0)));
  if (landlock.ruleset.valid()) landlock.abi = static_cast<unsigned>(version);
  return landlock;
}

Status Landlock::enter() const {
  if (abi == 0) return Ok{};
  if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0)
    return system_error(Code::kUnavailable, "the sandbox could not be closed", "landlock_restrict_self");
  return Ok{};
}

}  // namespace noren::worker
