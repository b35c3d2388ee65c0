// Usage and leases.
#include "server/store/sql/store_impl.h"

namespace noren::server {

using soci::into;
using soci::use;

namespace {

struct CountsTarget {
  long long succeeded = 0, refused = 0, invalid = 0, timed_out = 0, failed = 0, abandoned = 0;

  OutcomeCounts counts() const { return {succeeded, refused, invalid, timed_out, failed, abandoned}; }
};

// SUM makes a number of another type in some databases.
constexpr const char* kSums =
    "CAST(COALESCE(SUM(succeeded), 0) AS BIGINT), CAST(COALESCE(SUM(refused), 0) AS BIGINT), "
    "CAST(COALESCE(SUM(invalid), 0) AS BIGINT), CAST(COALESCE(SUM(timed_out), 0) AS BIGINT), "
    "CAST(COALESCE(SUM(failed), 0) AS BIGINT), CAST(COALESCE(SUM(abandoned), 0) AS BIGINT)";

}  // namespace

Status SqlStore::put_usage(const std::vector<UsageRecord>& usage) {
  return session_.guarded("put_usage", [&] {
    long long number = 0, day = 0;
    CountsTarget c;
    std::string server_id;
    const auto larger = [](const std::string& name) {
      return name + " = CASE WHEN excluded." + name + " > usage." + name + " THEN excluded." + name +
             " ELSE usage." + name + " END";
    };
    soci::statement put =
        (session_.sql().prepare
             << "INSERT INTO usage (api_number, day, server_id, succeeded, refused, invalid, "
                "timed_out, failed, abandoned) SELECT :number, :day, :server, :succeeded, "
                ":refused, :invalid, :timed_out, :failed, :abandoned "
                "WHERE EXISTS (SELECT 1 FROM apis WHERE number = :number) "
                "ON CONFLICT (api_number, day, server_id) DO UPDATE SET "
             << larger("succeeded") << ", " << larger("refused") << ", " << larger("invalid") << ", "
             << larger("timed_out") << ", " << larger("failed") << ", " << larger("abandoned"),
         use(number, "number"), use(day, "day"), use(server_id, "server"), use(c.succeeded, "succeeded"),
         use(c.refused, "refused"), use(c.invalid, "invalid"), use(c.timed_out, "timed_out"),
         use(c.failed, "failed"), use(c.abandoned, "abandoned"));
    for (const UsageRecord& record : usage) {
      number = record.api_number;
      day = record.day;
      server_id = record.server_id;
      const OutcomeCounts& counts = record.counts;
      c = {counts.succeeded, counts.refused, counts.invalid,
           counts.timed_out, counts.failed,  counts.abandoned};
      put.execute(true);
    }
  });
}

Result<std::vector<DayUsage>> SqlStore::list_usage(std::uint32_t api_number, std::int32_t first_day,
                                                   std::int32_t last_day) {
  return session_.guarded("list_usage", [&] {
    std::vector<DayUsage> all;
    long long day = 0;
    CountsTarget c;
    const long long number = api_number, first = first_day, last = last_day;
    soci::statement select =
        (session_.sql().prepare << "SELECT day, " << kSums
                                << " FROM usage WHERE api_number = :number AND day BETWEEN :first AND :last "
                                   "GROUP BY day ORDER BY day",
         into(day), into(c.succeeded), into(c.refused), into(c.invalid), into(c.timed_out), into(c.failed),
         into(c.abandoned), use(number, "number"), use(first, "first"), use(last, "last"));
    select.execute();
    while (select.fetch()) all.push_back({static_cast<std::int32_t>(day), c.counts()});
    return all;
  });
}

Result<std::map<std::uint32_t, OutcomeCounts>> SqlStore::total_usage(
    const std::vector<std::uint32_t>& api_numbers) {
  return session_.guarded("total_usage", [&] {
    std::map<std::uint32_t, OutcomeCounts> totals;
    long long number = 0;
    CountsTarget c;
    soci::statement select =
        (session_.sql().prepare << "SELECT api_number, " << kSums << " FROM usage WHERE api_number IN "
                                << list_of(api_numbers) << " GROUP BY api_number",
         into(number), into(c.succeeded), into(c.refused), into(c.invalid), into(c.timed_out), into(c.failed),
         into(c.abandoned));
    select.execute();
    while (select.fetch()) totals[static_cast<std::uint32_t>(number)] = c.counts();
    return totals;
  });
}

Status SqlStore::fold_other_servers(const std::string& server_id) {
  return session_.guarded("fold_other_servers", [&] {
    const auto sum = [](const std::string& name) {
      return name + " = usage." + name + " + excluded." + name;
    };
    session_.sql()
        << "INSERT INTO usage (api_number, day, server_id, succeeded, refused, invalid, timed_out, failed, "
           "abandoned) SELECT api_number, day, '', "
        << kSums
        << " FROM usage WHERE server_id <> '' AND server_id <> :server GROUP BY api_number, day "
           "ON CONFLICT (api_number, day, server_id) DO UPDATE SET "
        << sum("succeeded") << ", " << sum("refused") << ", " << sum("invalid") << ", " << sum("timed_out")
        << ", " << sum("failed") << ", " << sum("abandoned"),
        use(server_id, "server");
    session_.sql() << "DELETE FROM usage WHERE server_id <> '' AND server_id <> :server",
        use(server_id, "server");
  });
}

Result<std::int64_t> SqlStore::leased(std::uint32_t api_number) {
  return session_.guarded("leased", [&]() -> std::int64_t {
    long long count = 0;
    const long long number = api_number;
    session_.sql() << "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM leases WHERE api_number = :number",
        into(count), use(number, "number");
    return count;
  });
}

Status SqlStore::add_lease(std::uint32_t api_number, const std::string& server_id,
                           std::int64_t change_count) {
  return session_.guarded("add_lease", [&] {
    const long long number = api_number, change = change_count;
    session_.sql()
        << "INSERT INTO leases (api_number, server_id, count) VALUES (:number, :server, :change) "
           "ON CONFLICT (api_number, server_id) DO UPDATE SET count = leases.count + excluded.count",
        use(number, "number"), use(server_id, "server"), use(change, "change");
  });
}

}  // namespace noren::server
