#include "server/data_plane/admission.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace noren::server {
namespace {

/// How often a quota that was found empty is asked for again: somebody may have given back.
constexpr std::int64_t kEmptyLeaseRetryMs = 2'000;

Refused refuse(Refusal refusal) { return Refused{refusal, InstanceState::kStopped, 0, 0, {}}; }

bool needs_free_permit(const PublishedApi& api) {
  return api.owner_plan == Plan::kFree && api.type == ExecutionType::kPerRequest;
}

}  // namespace

Permit::Permit(Admission& admission, std::shared_ptr<ApiState> state, CatalogSnapshot snapshot,
               const PublishedApi& api, bool is_free)
    : admission_(&admission),
      state_(std::move(state)),
      snapshot_(std::move(snapshot)),
      api_(&api),
      is_free_(is_free) {}

Permit::Permit(Permit&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)),
      state_(std::move(other.state_)),
      snapshot_(std::move(other.snapshot_)),
      api_(other.api_),
      is_free_(other.is_free_),
      counted_day_(std::exchange(other.counted_day_, std::nullopt)) {}

Permit& Permit::operator=(Permit&& other) noexcept {
  if (this == &other) return *this;
  this->~Permit();
  return *new (this) Permit(std::move(other));
}

Permit::~Permit() {
  if (Admission* const admission = std::exchange(admission_, nullptr); admission != nullptr) {
    admission->settle(*state_, UsageClass::kAbandoned, Admission::FreePermit::kUntouched, counted_day_);
    if (is_free_) admission->take_back(state_);
  }
}

void Permit::count_answered() {
  CHECK(admission_ != nullptr && !counted_day_);
  counted_day_ = admission_->count_answered(*state_);
}

void Permit::settle(UsageClass usage) {
  CHECK(admission_ != nullptr);  // exactly once
  Admission* const admission = std::exchange(admission_, nullptr);
  const bool uses_up = is_free_ && usage == UsageClass::kSuccess;
  admission->settle(*state_, usage,
                    uses_up ? Admission::FreePermit::kUsedUp : Admission::FreePermit::kUntouched,
                    counted_day_);
  if (is_free_ && !uses_up) admission->take_back(state_);
}

Admission::Admission(DataPlaneParts& parts, const DataPlaneOptions& options, Dispatch& dispatch)
    : parts_(parts), options_(options), dispatch_(dispatch) {}

bool Admission::key_is_right(const ApiState* state, std::string_view key) const {
  // The same work whether the id exists or not, and whichever key it is.
  const SecretDigest digest = digest_of(key, options_.key_digest_key);
  if (state == nullptr || !state->published) return equal_digests(digest, nobody_) && false;
  bool is_right = false;
  for (const ApiKey& each : state->api->keys) is_right |= equal_digests(digest, each.digest);
  return is_right && !key.empty();
}

Admitted Admission::admit(const std::shared_ptr<ApiState>& state, const CallerHead& head,
                          AdmissionWaiter& waiter) {
  if (!key_is_right(state.get(), head.key)) return refuse(Refusal::kInvalidKey);
  const PublishedApi& api = *state->api;
  if (api.type != head.path_type) return WrongPath{api.type};
  const auto& networks = api.allowed_networks;
  const auto is_inside = [&head](const IpNetwork& network) { return contains(network, head.remote); };
  if (!networks.empty() && std::none_of(networks.begin(), networks.end(), is_inside))
    return refuse(Refusal::kSourceNotAllowed);
  const MonotonicNs now = parts_.clock.monotonic_ns();
  if (auto refused = dispatch_.refusal_of(*state, now)) return *std::move(refused);
  return needs_free_permit(api) ? take_free(state, waiter, now) : reserve(state, now);
}

/// The last checks of the head: the API's rate, and whether its queue has room.
Admitted Admission::reserve(const std::shared_ptr<ApiState>& state, MonotonicNs now) {
  const std::int64_t rate_limit_per_s = state->api->rate_limit_per_s;
  if (rate_limit_per_s > 0 && !state->rate.admits(rate_limit_per_s, now)) {
    Refused refused = refuse(Refusal::kTooManyRequests);
    refused.retry_after_s = 1;  // a whole second's worth comes in a second
    return refused;
  }
  if (!state->guard.admits(dispatch_.overload_input(*state), now)) {
    Refused refused = refuse(Refusal::kTooManyRequests);
    refused.retry_after_s = state->guard.retry_after_s(static_cast<std::uint32_t>(state->under_way_count()));
    return refused;
  }
  if (rate_limit_per_s > 0) state->rate.take();
  const bool is_free = needs_free_permit(*state->api);
  if (is_free) {
    CHECK(state->permits.in_hand_count > 0);
    --state->permits.in_hand_count;
    ++state->permits.in_flight_count;
    store_permits(*state);
  }
  return Permit(*this, state, state->snapshot, *state->api, is_free);
}

Admitted Admission::take_free(const std::shared_ptr<ApiState>& state, AdmissionWaiter& waiter,
                              MonotonicNs now) {
  if (state->permits.in_hand_count <= kLeaseLowCount) ask_lease(state, now);
  if (state->permits.in_hand_count > 0) return reserve(state, now);
  const bool some_may_come = state->lease_is_asked || state->permits.in_flight_count > 0;
  if (!some_may_come) return refuse(Refusal::kQuotaUsedUp);
  if (state->waiters.size() >= state->api->queue_limit_count) {
    Refused refused = refuse(Refusal::kTooManyRequests);
    refused.retry_after_s = 1;
    return refused;
  }
  state->waiters.push_back(&waiter);
  waiter.state_ = state;
  return Waiting{};
}

void Admission::ask_lease(const std::shared_ptr<ApiState>& state, MonotonicNs now) {
  const bool asked_lately =
      state->lease_is_empty && now < state->lease_asked_ns + kEmptyLeaseRetryMs * 1'000'000;
  if (state->lease_is_asked || asked_lately) return;
  state->lease_is_asked = true;
  state->lease_asked_ns = now;
  parts_.quota.lease(state->api->id, kLeaseWantedCount,
                     [this, state](const Result<QuotaGrant>& grant) { on_lease(state, grant); });
}

void Admission::on_lease(const std::shared_ptr<ApiState>& state, const Result<QuotaGrant>& grant) {
  state->lease_is_asked = false;
  if (grant.ok()) {
    state->lease_is_empty = grant->permits_count == 0;
    state->permits.in_hand_count += grant->permits_count;
    if (grant->permits_count > 0) store_permits(*state);
    if (!state->published) give_up_lease(*state);
  } else {
    log(LogLevel::kError, "quota.lease_failed",
        {{"api", state->api->id}, {"reason", describe(grant.error())}});
    // Nobody knows whether there is something left: who waits gets an honest error, the next caller asks
    // again.
    if (state->permits.in_flight_count == 0 && state->permits.in_hand_count == 0) {
      const std::deque<AdmissionWaiter*> waiters = std::exchange(state->waiters, {});
      for (AdmissionWaiter* waiter : waiters) answer(*waiter, refuse(Refusal::kInternal));
      return;
    }
  }
  serve_waiters(state);
}

/// Gives what there is to those who wait, in order; says so to all when nothing can come any more.
void Admission::serve_waiters(const std::shared_ptr<ApiState>& state) {
  while (!state->waiters.empty()) {
    const bool is_used_up = state->permits.in_hand_count == 0;
    if (is_used_up && (state->lease_is_asked || state->permits.in_flight_count > 0)) return;
    AdmissionWaiter* const waiter = state->waiters.front();
    state->waiters.pop_front();
    const MonotonicNs now = parts_.clock.monotonic_ns();
    if (!state->published)
      answer(*waiter, refuse(Refusal::kInvalidKey));
    else if (auto refused = dispatch_.refusal_of(*state, now))
      answer(*waiter, *std::move(refused));
    else if (is_used_up && needs_free_permit(*state->api))
      answer(*waiter, refuse(Refusal::kQuotaUsedUp));
    else
      answer(*waiter, reserve(state, now));
  }
}

void Admission::answer(AdmissionWaiter& waiter, Admitted result) {
  waiter.state_.reset();
  waiter.on_admitted(std::move(result));
}

void Admission::stop_waiting(AdmissionWaiter& waiter) {
  const std::shared_ptr<ApiState> state = std::exchange(waiter.state_, nullptr);
  if (state) std::erase(state->waiters, &waiter);
}

void Admission::give_up_lease(ApiState& state) {
  if (state.permits.in_hand_count == 0) return;
  parts_.quota.give_back(state.api->id, state.permits.in_hand_count);
  state.permits.in_hand_count = 0;
  store_permits(state);
}

std::int32_t Admission::count_answered(const ApiState& state) {
  return parts_.usage.begin_success(state.api->number);
}

void Admission::settle(ApiState& state, UsageClass usage, FreePermit free_permit,
                       std::optional<std::int32_t> counted_day) {
  // The success is counted before the permit leaves the flight: a crash in between errs on the safe side of
  // the free quota.
  const std::uint32_t number = state.api->number;
  const bool was_answered = counted_day && usage == UsageClass::kSuccess;
  if (was_answered) parts_.usage.keep_success(number, *counted_day);
  if (counted_day && !was_answered) parts_.usage.drop_success(number, *counted_day);
  if (!was_answered) parts_.usage.add(number, usage);
  if (free_permit == FreePermit::kUntouched) return;
  --state.permits.in_flight_count;
  store_permits(state);
  if (!state.waiters.empty())
    serve_waiters(state.shared_from_this());  // it may have been the last one to hope for
}

void Admission::take_back(const std::shared_ptr<ApiState>& state) {
  --state->permits.in_flight_count;
  ++state->permits.in_hand_count;
  store_permits(*state);
  const bool is_needed = state->published && needs_free_permit(*state->api);
  if (is_needed) return serve_waiters(state);
  give_up_lease(*state);
}

}  // namespace noren::server
