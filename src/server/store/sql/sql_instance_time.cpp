// How long instances ran.
#include "server/store/sql/store_impl.h"

namespace noren::server {

using soci::into;
using soci::use;

Status SqlStore::put_instance_time(const std::string& server_id, const std::vector<InstanceTime>& rows) {
  return session_.guarded("put_instance_time", [&] {
    long long number = 0, slot = 0, on_gpu = 0, from_us = 0, until_us = 0;
    soci::statement put =
        (session_.sql().prepare
             << "INSERT INTO instance_time (api_number, slot, server_id, on_gpu, from_us, until_us) "
                "SELECT :number, :slot, :server, :on_gpu, :from_us, :until_us "
                "WHERE EXISTS (SELECT 1 FROM apis WHERE number = :number) "
                "ON CONFLICT (api_number, slot, server_id, from_us) DO UPDATE SET until_us = "
                "CASE WHEN excluded.until_us > instance_time.until_us THEN excluded.until_us "
                "ELSE instance_time.until_us END",
         use(number, "number"), use(slot, "slot"), use(server_id, "server"), use(on_gpu, "on_gpu"),
         use(from_us, "from_us"), use(until_us, "until_us"));
    for (const InstanceTime& row : rows) {
      number = row.api_number;
      slot = row.slot;
      on_gpu = row.on_gpu ? 1 : 0;
      from_us = row.span.from_us;
      until_us = row.span.until_us;
      put.execute(true);
    }
  });
}

Result<std::vector<InstanceTime>> SqlStore::list_instance_time(
    const std::vector<std::uint32_t>& api_numbers) {
  return session_.guarded("list_instance_time", [&] {
    std::vector<InstanceTime> rows;
    long long number = 0, slot = 0, on_gpu = 0, from_us = 0, until_us = 0;
    soci::statement select =
        (session_.sql().prepare << "SELECT api_number, slot, on_gpu, from_us, until_us FROM instance_time "
                                   "WHERE api_number IN "
                                << list_of(api_numbers),
         into(number), into(slot), into(on_gpu), into(from_us), into(until_us));
    select.execute();
    while (select.fetch())
      rows.push_back(
          {static_cast<std::uint32_t>(number), static_cast<int>(slot), on_gpu != 0, {from_us, until_us}});
    return rows;
  });
}

}  // namespace noren::server
