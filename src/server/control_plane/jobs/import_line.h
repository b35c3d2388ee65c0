// server/control_plane/jobs/import_line.h - The imports that wait for their turn: the accounts that wait come
// round one after the other, and of each account's imports the oldest. Used by Jobs, on the control thread.
// Never begins one by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "base/result.h"

namespace noren::limits {

/// Of the limits::kImportQueueCount places in the line, at most so many are one account's: nobody fills it
/// alone.
inline constexpr std::size_t kImportQueuePerAccountCount = 16;

}  // namespace noren::limits

namespace noren::server {

class ImportLine {
 public:
  /// An account that does not wait yet comes behind all that do. kExhausted where too many wait.
  Status join(const std::string& owner_id, std::uint64_t turn, std::function<void()> begin);
  /// Whether join would take one now.
  Status room(const std::string& owner_id) const;
  /// Whether it waited. What its `begin` holds is given back.
  bool leave(std::uint64_t turn);
  /// The next one's `begin`; null where nobody waits.
  std::function<void()> take();
  bool empty() const { return accounts_.empty(); }

 private:
  struct Waiting {
    std::uint64_t turn = 0;
    std::function<void()> begin;
  };
  struct Account {
    std::string owner_id;
    std::deque<Waiting> imports;  ///< never empty
  };

  std::size_t count_ = 0;
  std::deque<Account> accounts_;  ///< the next one first
};

}  // namespace noren::server
