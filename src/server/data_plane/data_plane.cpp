#include "server/data_plane/data_plane.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/log.h"
#include "server/data_plane/admission.h"
#include "server/data_plane/dispatch.h"

namespace noren::server {
namespace {

constexpr std::int64_t kPassMs = 1'000;  // schedules are looked at, usage is stored
/// Behind a window's edge, so that the two clocks agree that it has passed.
constexpr std::int64_t kLateUs = 1'000;

}  // namespace

class DataPlane::Impl {
 public:
  Impl(DataPlaneParts parts, DataPlaneOptions options)
      : parts_(std::move(parts)),
        options_(options),
        dispatch_(parts_, options_, meter_),
        admission_(parts_, options_, dispatch_),
        alarm_(parts_.loop, [this] { pass(); }),
        alive_(std::make_shared<bool>(true)) {
    options_.cpu_tokens_count = std::max(1, options_.cpu_tokens_count);
    for (const UsageCounters::InDoubt& each : parts_.usage.in_doubt())
      log(LogLevel::kWarning, "usage.in_doubt",
          {{"api_number", std::int64_t{each.api_number}}, {"permits", std::int64_t{each.permits_count}}});
    set_alarm();
  }

  ~Impl() {
    kill_all();
    for (const auto& [id, state] : by_id_) dispatch_.forget_calls(*state);
    for (const auto& state : retired_) dispatch_.forget_calls(*state);
  }

  void apply(const CatalogSnapshot& snapshot) {
    for (const PublishedApi& api : snapshot->apis()) {
      const auto found = by_id_.find(api.id);
      // An id that was deleted and is published again is another API.
      if (found != by_id_.end() && found->second->api->number != api.number) retire(*found->second);
      auto& state = by_id_[api.id];
      if (!state || state->api->number != api.number) state = make_state(api);
      dispatch_.meter(*state);  // until now as it was
      const bool was_free = state->api->owner_plan == Plan::kFree;
      if (state->api->modified_us != api.modified_us) Dispatch::forget_failures(*state);
      state->snapshot = snapshot;
      state->api = &api;
      plan(*state);
      if (was_free && api.owner_plan != Plan::kFree) admission_.give_up_lease(*state);
    }
    for (auto at = by_id_.begin(); at != by_id_.end();) {
      if (at->second->snapshot == snapshot) {
        dispatch_.on_api_changed(*at->second);
        ++at;
      } else {
        retire(*at->second);
        at = by_id_.erase(at);
      }
    }
    bury_finished();
    set_alarm();
  }

  void try_version(VersionToTry version, std::function<void(Status)> done) {
    const auto found = by_id_.find(version.api_id);
    if (found == by_id_.end()) return done(make_error(Code::kNotFound, "there is no API with this id"));
    dispatch_.try_version(*found->second, std::move(version), std::move(done));
  }

  void drop_version(std::string_view id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return;
    dispatch_.end_trial(*found->second, make_error(Code::kUnavailable, "the version was given up"));
  }

  std::vector<InstanceTime> close_instance_time() {
    for (const auto& [id, state] : by_id_) dispatch_.meter(*state);
    return meter_.unstored();
  }

  Admitted admit(const CallerHead& head, AdmissionWaiter& waiter) {
    static const std::shared_ptr<ApiState> kNobody;
    const auto found = by_id_.find(head.api_id);
    const auto& state = found == by_id_.end() ? kNobody : found->second;
    Admitted result = admission_.admit(state, head, waiter);
    if (auto* refused = std::get_if<Refused>(&result)) {
      if (refused->refusal != Refusal::kInvalidKey)
        parts_.usage.add(state->api->number, UsageClass::kRefused);
      if (refused->refusal == Refusal::kTooManyRequests) {
        const MonotonicNs now = parts_.clock.monotonic_ns();
        refused->answer_at_ns = refusal_pace_.answer_at(now);
        if (refused->answer_at_ns != 0) parts_.loop.give_way(now);
      }
    }
    return result;
  }

  std::optional<CallResult> call(ApiState& state, RequestBody body, CallListener& listener) {
    return dispatch_.submit(state, std::move(body), listener);
  }
  void abandon(CallListener& listener) { dispatch_.abandon(listener); }

  std::optional<ApiStatus> status(std::string_view id) const {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return std::nullopt;
    return dispatch_.status_of(*found->second);
  }

  void kill_all() {
    dispatch_.begin_stop();
    for (const auto& [id, state] : by_id_) dispatch_.stop(*state);
    for (const auto& state : retired_) dispatch_.stop(*state);
  }

  const Dispatch& dispatch() const { return dispatch_; }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::shared_ptr<ApiState> make_state(const PublishedApi& api) {
    auto state = std::make_shared<ApiState>();
    state->api = &api;
    state->permits = parts_.usage.free_permits(api.number);
    return state;
  }

  void retire(ApiState& state) {
    dispatch_.meter(state);
    state.published = false;
    admission_.give_up_lease(state);
    dispatch_.end_trial(state, make_error(Code::kNotFound, "the API was deleted meanwhile"));
    dispatch_.on_api_changed(state);
    retired_.push_back(state.shared_from_this());
  }

  void bury_finished() {
    std::erase_if(retired_, [](const auto& state) { return Dispatch::is_finished(*state); });
  }

  void plan(ApiState& state) const {
    const RunPlan run =
        plan_run(state.api->schedule, parts_.clock.wall_us(), start_lead_ms(state.start_ns), state.run);
    // Another day, another try.
    if (run.needs_instances && !state.run.needs_instances) Dispatch::forget_failures(state);
    state.run = run;
  }

  /// Everything is looked at anew, whether something is known to have changed or not.
  void pass() {
    for (const auto& [id, state] : by_id_) {
      dispatch_.meter(*state);
      plan(*state);
      dispatch_.on_api_changed(*state);
    }
    for (const auto& state : retired_) dispatch_.on_api_changed(*state);
    bury_finished();
    store_usage();
    store_instance_time();
    set_alarm();
  }

  /// For the next pass, or earlier where a window begins or ends.
  void set_alarm() {
    const WallUs now_us = parts_.clock.wall_us();
    std::int64_t wait_us = kPassMs * 1'000;
    for (const auto& [id, state] : by_id_)
      if (state->run.look_again_us != 0)
        wait_us = std::min(wait_us, std::max<WallUs>(0, state->run.look_again_us - now_us) + kLateUs);
    alarm_.set(parts_.clock.monotonic_ns() + wait_us * 1'000);
  }

  void store_instance_time() {
    if (!parts_.store_instance_time || storing_time_) return;
    std::vector<InstanceTime> rows = meter_.next_to_store();
    if (rows.empty()) return;
    storing_time_ = true;
    parts_.store_instance_time(rows, [this, rows, alive = std::weak_ptr<bool>(alive_)](const Status& status) {
      if (alive.expired()) return;
      storing_time_ = false;
      if (status.ok()) return meter_.on_stored(rows);
      meter_.on_not_stored(rows);
      log(LogLevel::kWarning, "instance_time.not_stored", {{"reason", describe(status.error())}});
    });
  }

  void store_usage() {
    if (!parts_.store_usage || storing_) return;
    std::vector<UsageRow> rows = failed_rows_ ? parts_.usage.all_rows() : parts_.usage.take_changed_rows();
    if (rows.empty()) return;
    storing_ = true;
    parts_.store_usage(rows, [this, rows, alive = std::weak_ptr<bool>(alive_)](const Status& status) {
      if (alive.expired()) return;
      storing_ = false;
      failed_rows_ = !status.ok();
      if (status.ok()) return parts_.usage.on_stored(rows);
      log(LogLevel::kWarning, "usage.not_stored", {{"reason", describe(status.error())}});
    });
  }

  DataPlaneParts parts_;
  DataPlaneOptions options_;
  InstanceMeter meter_;
  Dispatch dispatch_;
  RefusalPace refusal_pace_;
  Admission admission_;
  Alarm alarm_;
  std::unordered_map<std::string, std::shared_ptr<ApiState>, TextHash, std::equal_to<>> by_id_;
  std::vector<std::shared_ptr<ApiState>> retired_;
  std::shared_ptr<bool> alive_;
  bool storing_ = false;
  bool storing_time_ = false;
  bool failed_rows_ = false;
};

DataPlane::DataPlane(DataPlaneParts parts, DataPlaneOptions options)
    : impl_(std::make_unique<Impl>(std::move(parts), options)) {}
DataPlane::~DataPlane() = default;

void DataPlane::apply(const CatalogSnapshot& snapshot) { impl_->apply(snapshot); }
void DataPlane::try_version(VersionToTry version, std::function<void(Status)> done) {
  impl_->try_version(std::move(version), std::move(done));
}
void DataPlane::drop_version(std::string_view api_id) { impl_->drop_version(api_id); }
Admitted DataPlane::admit(const CallerHead& head, AdmissionWaiter& waiter) {
  return impl_->admit(head, waiter);
}
void DataPlane::stop_waiting(AdmissionWaiter& waiter) { Admission::stop_waiting(waiter); }
std::optional<CallResult> DataPlane::call(const Permit& permit, RequestBody body, CallListener& listener) {
  // The API may be another by the time that a worker has time for this.
  body.files = permit.api().type == ExecutionType::kDedicated ? RequestBody::Files::kAll
                                                              : RequestBody::Files::kPerRequest;
  static_assert(limits::kBodyLimitBytes <= std::numeric_limits<std::uint32_t>::max());
  body.limit_bytes = static_cast<std::uint32_t>(permit.api().body_limit_bytes);
  return impl_->call(*permit.state_, std::move(body), listener);
}
void DataPlane::abandon(CallListener& listener) { impl_->abandon(listener); }
std::optional<ApiStatus> DataPlane::status(std::string_view api_id) const { return impl_->status(api_id); }
std::size_t DataPlane::calls_count() const { return impl_->dispatch().calls_count(); }
std::size_t DataPlane::workers_count() const { return impl_->dispatch().workers_count(); }
std::vector<InstanceTime> DataPlane::close_instance_time() { return impl_->close_instance_time(); }
void DataPlane::kill_all() { impl_->kill_all(); }

}  // namespace noren::server
