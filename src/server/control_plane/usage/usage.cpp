#include "server/control_plane/usage/usage.h"

#include <algorithm>

#include "domain/quota.h"

namespace noren::server {

void add(InstanceSeconds& sum, const InstanceSeconds& more) {
  sum.cpu_s += more.cpu_s;
  sum.gpu_s += more.gpu_s;
}

Status Usage::fold_others() {
  return store_.transaction([&] { return store_.fold_other_servers(server_id_); });
}

Status Usage::put(std::vector<UsageRecord> records) {
  if (records.empty()) return Ok{};
  for (UsageRecord& record : records) record.server_id = server_id_;
  return store_.transaction([&] { return store_.put_usage(records); });
}

Result<std::vector<DayUsage>> Usage::list(std::uint32_t api_number, std::int32_t first_day,
                                          std::int32_t last_day) {
  return store_.list_usage(api_number, first_day, last_day);
}

Result<OutcomeCounts> Usage::total(std::uint32_t api_number) {
  ASSIGN_OR_RETURN(auto totals, store_.total_usage({api_number}));
  return totals[api_number];
}

Result<std::map<std::uint32_t, UsageTotal>> Usage::totals(const std::vector<std::uint32_t>& api_numbers) {
  std::map<std::uint32_t, UsageTotal> totals;
  ASSIGN_OR_RETURN(const auto counts, store_.total_usage(api_numbers));
  for (const auto& [number, of_api] : counts) totals[number].counts = of_api;
  ASSIGN_OR_RETURN(const std::vector<InstanceTime> all, store_.list_instance_time(api_numbers));
  std::map<std::uint32_t, std::vector<InstanceTime>> rows_of;
  for (const InstanceTime& row : all) rows_of[row.api_number].push_back(row);
  for (auto& [number, rows] : rows_of)
    for (const auto& [day, seconds] : instance_seconds_by_day(std::move(rows)))
      add(totals[number].seconds, seconds);
  return totals;
}

std::int64_t Usage::free_left(const OutcomeCounts& total) const {
  return std::max<std::int64_t>(0, free_requests_count_ - total.succeeded);
}

Status Usage::put_instance_time(const std::vector<InstanceTime>& rows) {
  if (rows.empty()) return Ok{};
  return store_.transaction([&] { return store_.put_instance_time(server_id_, rows); });
}

Result<std::map<std::int32_t, InstanceSeconds>> Usage::instance_seconds(std::uint32_t api_number) {
  ASSIGN_OR_RETURN(std::vector<InstanceTime> rows, store_.list_instance_time({api_number}));
  return instance_seconds_by_day(std::move(rows));
}

Result<std::int64_t> Usage::unleased(std::uint32_t api_number) {
  ASSIGN_OR_RETURN(const std::int64_t leased, store_.leased(api_number));
  return std::max<std::int64_t>(0, free_requests_count_ - leased);
}

Result<std::int64_t> Usage::lease(const std::string& api_id, std::int64_t wanted_count) {
  std::int64_t granted = 0;
  TRY(store_.transaction([&]() -> Status {
    ASSIGN_OR_RETURN(const auto row, store_.find_api(api_id));
    if (!row) return make_error(Code::kNotFound, "there is no API with this id");
    ASSIGN_OR_RETURN(const std::int64_t left, unleased(row->api.number));
    granted = lease_size(left, wanted_count);
    if (granted == 0) return Ok{};
    return store_.add_lease(row->api.number, server_id_, granted);
  }));
  return granted;
}

Status Usage::give_back(const std::string& api_id, std::int64_t count) {
  if (count <= 0) return Ok{};
  return store_.transaction([&]() -> Status {
    ASSIGN_OR_RETURN(const auto row, store_.find_api(api_id));
    if (!row) return Ok{};
    return store_.add_lease(row->api.number, server_id_, -count);
  });
}

}  // namespace noren::server
