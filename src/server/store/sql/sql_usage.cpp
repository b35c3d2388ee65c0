// Usage and leases.
#include "server/store/sql/store_impl.h"

namespace noren::server {

using soci::into;
using soci::use;

Status SqlStore::put_usage(const std::vector<UsageRecord>& usage) {
  return session_.guarded("put_usage", [&] {
    long long number = 0, day = 0, count = 0;
    std::string run_id;
    soci::statement put =
        (session_.sql().prepare
             << "INSERT INTO usage (api_number, day, run_id, count) "
                "VALUES (:number, :day, :run, :count) ON CONFLICT (api_number, day, run_id) "
                "DO UPDATE SET count = CASE WHEN excluded.count > usage.count THEN excluded.count "
                "ELSE usage.count END",
         use(number, "number"), use(day, "day"), use(run_id, "run"), use(count, "count"));
    for (const UsageRecord& record : usage) {
      number = record.api_number;
      day = record.day;
      run_id = record.run_id;
      count = record.count;
      put.execute(true);
    }
  });
}

Result<std::vector<DayUsage>> SqlStore::list_usage(std::uint32_t api_number, std::int32_t first_day,
                                                   std::int32_t last_day) {
  return session_.guarded("list_usage", [&] {
    std::vector<DayUsage> all;
    long long day = 0, count = 0;
    const long long number = api_number, first = first_day, last = last_day;
    soci::statement select =
        (session_.sql().prepare
             << "SELECT day, CAST(SUM(count) AS BIGINT) FROM usage WHERE api_number = :number "
                "AND day BETWEEN :first AND :last GROUP BY day ORDER BY day",
         into(day), into(count), use(number, "number"), use(first, "first"), use(last, "last"));
    select.execute();
    while (select.fetch()) all.push_back({static_cast<std::int32_t>(day), count});
    return all;
  });
}

Result<std::int64_t> SqlStore::total_usage(std::uint32_t api_number) {
  return session_.guarded("total_usage", [&]() -> std::int64_t {
    long long count = 0;
    const long long number = api_number;
    session_.sql() << "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM usage WHERE api_number = :number",
        into(count), use(number, "number");
    return count;
  });
}

Status SqlStore::fold_other_runs(const std::string& run_id) {
  return session_.guarded("fold_other_runs", [&] {
    session_.sql()
        << "INSERT INTO usage (api_number, day, run_id, count) "
           "SELECT api_number, day, '', CAST(SUM(count) AS BIGINT) FROM usage "
           "WHERE run_id <> '' AND run_id <> :run GROUP BY api_number, day "
           "ON CONFLICT (api_number, day, run_id) DO UPDATE SET count = usage.count + excluded.count",
        use(run_id, "run");
    session_.sql() << "DELETE FROM usage WHERE run_id <> '' AND run_id <> :run", use(run_id, "run");
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

Status SqlStore::add_lease(std::uint32_t api_number, const std::string& run_id, std::int64_t change_count) {
  return session_.guarded("add_lease", [&] {
    const long long number = api_number, change = change_count;
    session_.sql() << "INSERT INTO leases (api_number, run_id, count) VALUES (:number, :run, :change) "
                      "ON CONFLICT (api_number, run_id) DO UPDATE SET count = leases.count + excluded.count",
        use(number, "number"), use(run_id, "run"), use(change, "change");
  });
}

}  // namespace noren::server
