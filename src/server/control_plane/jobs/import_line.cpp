#include "server/control_plane/jobs/import_line.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace noren::server {

Status ImportLine::room(const std::string& owner_id) const {
  const auto account = std::ranges::find(accounts_, owner_id, &Account::owner_id);
  if (account != accounts_.end() && account->imports.size() >= limits::kImportQueuePerAccountCount)
    return make_error(Code::kExhausted, "too many of your imports are waiting: try again when one has ended");
  if (count_ >= limits::kImportQueueCount)
    return make_error(Code::kExhausted, "too many imports are waiting: try again later");
  return Ok{};
}

Status ImportLine::join(const std::string& owner_id, std::uint64_t turn, std::function<void()> begin) {
  TRY(room(owner_id));
  auto account = std::ranges::find(accounts_, owner_id, &Account::owner_id);
  if (account == accounts_.end()) account = accounts_.insert(account, {owner_id, {}});
  account->imports.push_back({turn, std::move(begin)});
  ++count_;
  return Ok{};
}

bool ImportLine::leave(std::uint64_t turn) {
  for (auto account = accounts_.begin(); account != accounts_.end(); ++account) {
    const auto waiting = std::ranges::find(account->imports, turn, &Waiting::turn);
    if (waiting == account->imports.end()) continue;
    account->imports.erase(waiting);
    if (account->imports.empty()) accounts_.erase(account);
    --count_;
    return true;
  }
  return false;
}

std::function<void()> ImportLine::take() {
  if (accounts_.empty()) return nullptr;
  Account account = std::move(accounts_.front());
  accounts_.pop_front();
  std::function<void()> begin = std::move(account.imports.front().begin);
  account.imports.pop_front();
  --count_;
  if (!account.imports.empty()) accounts_.push_back(std::move(account));
  return begin;
}

}  // namespace noren::server
