// server/control_plane/usage/usage.h - Usage: requests counted for good, and free requests handed out.
// Called on the control thread. The data plane says absolute numbers of its server, so that saying one twice
// changes nothing; a lease is in the store before it is granted, so that a crash never gives a request away
// twice.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/instance_meter.h"
#include "server/store/store.h"

namespace noren::server {

/// Since an API is there.
struct UsageTotal {
  OutcomeCounts counts;
  InstanceSeconds seconds;
};

void add(InstanceSeconds& sum, const InstanceSeconds& more);

class Usage {
 public:
  /// `server_id` is the name under which this server's counters are kept, also over its restarts.
  Usage(Store& store, std::string server_id, std::int64_t free_requests_count)
      : store_(store), server_id_(std::move(server_id)), free_requests_count_(free_requests_count) {}

  /// At start, for a server that is alone on its store: counters of another name are no more.
  Status fold_others();

  /// `records` without their server_id.
  Status put(std::vector<UsageRecord> records);
  Result<std::vector<DayUsage>> list(std::uint32_t api_number, std::int32_t first_day, std::int32_t last_day);
  Result<OutcomeCounts> total(std::uint32_t api_number);
  /// Of all these APIs with few reads of the store, by API number.
  Result<std::map<std::uint32_t, UsageTotal>> totals(const std::vector<std::uint32_t>& api_numbers);

  /// How long instances ran; a row that is there already grows, or is left alone.
  Status put_instance_time(const std::vector<InstanceTime>& rows);
  /// By UTC day; days without an instance are left out.
  Result<std::map<std::int32_t, InstanceSeconds>> instance_seconds(std::uint32_t api_number);

  /// Up to `wanted_count` free requests of an API; 0 where none is left.
  Result<std::int64_t> lease(const std::string& api_id, std::int64_t wanted_count);
  /// Of a lease of this server. An API that is gone is no error.
  Status give_back(const std::string& api_id, std::int64_t count);
  /// What an owner without a paid plan has left, after these were served.
  std::int64_t free_left(const OutcomeCounts& total) const;

 private:
  /// Free requests that no server has leased.
  Result<std::int64_t> unleased(std::uint32_t api_number);

  Store& store_;
  std::string server_id_;
  std::int64_t free_requests_count_;
};

}  // namespace noren::server
