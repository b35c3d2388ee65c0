#include "worker/sandbox/landlock.h"

#include <cstdint>

#include <sys/syscall.h>
#include <unistd.h>

namespace noren::worker {
namespace {

// The kernel's interface, written out: the headers of Debian 12 know only its first three versions.
constexpr long kCreateRuleset = 444;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;

struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
};

constexpr std::uint64_t lowest_bits(unsigned count) { return (std::uint64_t{1} << count) - 1; }

}  // namespace

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
