// server/control_plane/usage/usage.h - Usage: successes counted for good, and free requests handed out.
// Called on the control thread. The data plane counts from this run's zero and says absolute numbers, so that
// saying one twice changes nothing; a lease is in the store before it is granted, so that a crash never gives
// a request away twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/store/store.h"

namespace noren::server {

struct Counted {
  std::uint32_t api_number = 0;
  std::int32_t day = 0;
  std::int64_t count = 0;
};

class Usage {
 public:
  /// `run_id` names this run of this server, and no other.
  Usage(Store& store, std::string run_id, std::int64_t free_requests_count)
      : store_(store), run_id_(std::move(run_id)), free_requests_count_(free_requests_count) {}

  /// At start, for a server that is alone on its store: earlier runs have ended.
  Status close_earlier_runs();

  Status put(const std::vector<Counted>& counted);
  Result<std::vector<DayUsage>> list(std::uint32_t api_number, std::int32_t first_day, std::int32_t last_day);
  Result<std::int64_t> total(std::uint32_t api_number);

  /// Up to `wanted_count` free requests of an API; 0 where none is left.
  Result<std::int64_t> lease(const std::string& api_id, std::int64_t wanted_count);
  /// Of a lease of this run. An API that is gone is no error.
  Status give_back(const std::string& api_id, std::int64_t count);
  Result<std::int64_t> free_left(std::uint32_t api_number);

 private:
  Store& store_;
  std::string run_id_;
  std::int64_t free_requests_count_;
};

}  // namespace noren::server
