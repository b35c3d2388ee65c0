// Admission: the checks of a request's head in the contract's order, and the permits. Event loop only; asks
// nobody, except for a lease of free requests, and there the caller waits only when the lease in hand is
// used up.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "server/data_plane/dispatch.h"

namespace noren::server {

class Admission {
 public:
  Admission(DataPlaneParts& parts, const DataPlaneOptions& options, Dispatch& dispatch);

  /// `state` is null for an id that is not published. kWaiting: the waiter was put into the API's line.
  Admitted admit(const std::shared_ptr<ApiState>& state, const CallerHead& head, AdmissionWaiter& waiter);
  static void stop_waiting(AdmissionWaiter& waiter);
  /// The API needs no free permits any more (deleted, paid for): those in hand go back.
  void give_up_lease(ApiState& state);

  // Of permits.
  enum class FreePermit : std::uint8_t { kUntouched, kUsedUp };
  std::int32_t count_answered(const ApiState& state);
  /// `counted_day`: of count_answered(), if that was called.
  void settle(ApiState& state, UsageClass usage, FreePermit free_permit,
              std::optional<std::int32_t> counted_day);
  void take_back(const std::shared_ptr<ApiState>& state);

 private:
  bool key_is_right(const ApiState* state, std::string_view key) const;
  Admitted reserve(const std::shared_ptr<ApiState>& state, MonotonicNs now_ns);
  Admitted take_free(const std::shared_ptr<ApiState>& state, AdmissionWaiter& waiter, MonotonicNs now_ns);
  void ask_lease(const std::shared_ptr<ApiState>& state, MonotonicNs now_ns);
  void on_lease(const std::shared_ptr<ApiState>& state, const Result<QuotaGrant>& grant);
  static void answer(AdmissionWaiter& waiter, Admitted result);
  void serve_waiters(const std::shared_ptr<ApiState>& state);
  void store_permits(const ApiState& state) {
    parts_.usage.set_free_permits(state.api->number, state.permits);
  }

  DataPlaneParts& parts_;
  const DataPlaneOptions& options_;
  Dispatch& dispatch_;
  const SecretDigest nobody_{};  ///< what keys for unknown ids are compared with
};

}  // namespace noren::server
