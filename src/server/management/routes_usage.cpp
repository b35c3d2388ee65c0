// What an API was used for, by day.
#include <charconv>
#include <map>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "server/management/api_answers.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr std::int32_t kUsageDaysCount = 3'660;

json::object usage_json(const OutcomeCounts& counts, const InstanceSeconds& seconds) {
  json::object usage = {{"successes", counts.succeeded}, {"refused", counts.refused},
                        {"invalid", counts.invalid},     {"timeouts", counts.timed_out},
                        {"failed", counts.failed},       {"abandoned", counts.abandoned}};
  add_seconds(usage, seconds);
  return usage;
}

}  // namespace

void list_usage(const ManagementParts& parts, const ExchangePointer& exchange) {
  const auto row = api_for(parts, *exchange);
  if (!row.ok()) return exchange->fail(row.error());
  const auto query = parse_query(exchange->request.query, {"days"});
  if (!query.ok()) return exchange->fail(query.error());
  const std::string text = query_value(*query, "days", "31");
  std::int32_t days = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), days);
  if (failure != std::errc{} || end != text.data() + text.size() || days < 1 || days > kUsageDaysCount)
    return exchange->fail(
        invalid(fmt::format("query parameter 'days' must be a number from 1 to {}", kUsageDaysCount)));
  const std::int32_t today = utc_day(parts.clock.wall_us());
  const auto usage = parts.usage.list(row->api.number, today - days + 1, today);
  const auto total = parts.usage.total(row->api.number);
  if (!usage.ok() || !total.ok()) return exchange->fail(usage.ok() ? total.error() : usage.error());
  const auto seconds = parts.usage.instance_seconds(row->api.number);
  if (!seconds.ok()) return exchange->fail(seconds.error());
  std::map<std::int32_t, json::object> by_day;
  for (const DayUsage& day : *usage) by_day[day.day] = usage_json(day.counts, {});
  InstanceSeconds seconds_total;
  for (const auto& [day, of_day] : *seconds) {
    add(seconds_total, of_day);
    if (day <= today - days || day > today) continue;
    const auto [at, is_new] = by_day.try_emplace(day, usage_json({}, {}));
    add_seconds(at->second, of_day);
  }
  json::array list;
  for (auto& [day, of_day] : by_day) {
    of_day["day"] = format_utc(std::int64_t{day} * 86'400'000'000).substr(0, 10);
    list.push_back(std::move(of_day));
  }
  exchange->answer(200, {{"total", usage_json(*total, seconds_total)}, {"days", std::move(list)}});
}

}  // namespace noren::server
