// APIs, their versions and their keys.
#include "server/store/sql/store_impl.h"
#include "server/store/words.h"

namespace noren::server {

using soci::into;
using soci::use;

Result<std::uint32_t> SqlStore::add_api(const ApiRecord& api) {
  return session_.guarded("add_api", [&]() -> std::uint32_t {
    const std::string type(execution_type_name(api.type));
    const long long enabled = api.enabled ? 1 : 0, created = api.created_us, modified = api.modified_us;
    session_.sql()
        << "INSERT INTO apis (number, id, owner_id, type, enabled, settings, version_label, created_us, "
           "modified_us, deleted_us) "
           "SELECT COALESCE(MAX(number), 0) + 1, :id, :owner, :type, :enabled, :settings, :label, :created, "
           ":modified, 0 FROM apis",
        use(api.id, "id"), use(api.owner_id, "owner"), use(type, "type"), use(enabled, "enabled"),
        use(api.settings, "settings"), use(api.version_label, "label"), use(created, "created"),
        use(modified, "modified");
    long long number = 0;
    session_.sql() << "SELECT number FROM apis WHERE id = :id AND deleted_us = 0", into(number),
        use(api.id, "id");
    return static_cast<std::uint32_t>(number);
  });
}

Result<std::vector<ApiRow>> SqlStore::select_apis(const char* condition, const std::string& text,
                                                  const Page& page) {
  struct Raw {
    ApiRow row;
    std::string type, plan;
    long long number = 0, enabled = 0, created = 0, modified = 0, cost = 0, memory = 0;
  };
  std::vector<Raw> raw;
  TRY(session_.guarded("select_apis", [&] {
    Raw t;
    const long long before = page.before_number, limit = page.limit_count;
    soci::statement select =
        (session_.sql().prepare
             << "SELECT a.number, a.id, a.owner_id, a.type, a.enabled, a.settings, a.version_label, "
                "a.created_us, "
                "a.modified_us, j.id, j.project, j.name, j.package_hash, j.cost_parameter, j.memory_bytes, "
                "o.plan FROM apis "
                "a "
                "JOIN versions v ON v.api_number = a.number AND v.label = a.version_label "
                "JOIN jobs j ON j.id = v.job_id JOIN owners o ON o.id = a.owner_id WHERE a.deleted_us = 0 "
                "AND "
             << condition << " AND (:before = 0 OR a.number < :before) ORDER BY a.number DESC LIMIT :limit",
         into(t.number), into(t.row.api.id), into(t.row.api.owner_id), into(t.type), into(t.enabled),
         into(t.row.api.settings), into(t.row.api.version_label), into(t.created), into(t.modified),
         into(t.row.job_id), into(t.row.project), into(t.row.name), into(t.row.package_hash), into(t.cost),
         into(t.memory), into(t.plan), use(text, "text"), use(before, "before"), use(limit, "limit"));
    select.execute();
    while (select.fetch()) raw.push_back(t);
  }));
  std::vector<ApiRow> rows;
  rows.reserve(raw.size());
  for (Raw& each : raw) {
    ApiRow row = std::move(each.row);
    row.api.number = static_cast<std::uint32_t>(each.number);
    ASSIGN_OR_RETURN(row.api.type, execution_type_of(each.type));
    ASSIGN_OR_RETURN(row.owner_plan, owner_plan_of(each.plan));
    row.api.enabled = each.enabled != 0;
    row.api.created_us = each.created;
    row.api.modified_us = each.modified;
    row.cost_parameter = each.cost;
    row.memory_bytes = each.memory;
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::optional<ApiRow>> SqlStore::find_api(const std::string& id) {
  ASSIGN_OR_RETURN(std::vector<ApiRow> rows, select_apis("a.id = :text", id, Page{0, 1}));
  if (rows.empty()) return std::optional<ApiRow>();
  return std::optional<ApiRow>(std::move(rows.front()));
}

Result<std::vector<ApiRow>> SqlStore::list_apis(const std::string& owner_id, const Page& page) {
  return select_apis("(:text = '' OR a.owner_id = :text)", owner_id, page);
}

Status SqlStore::update_api(const ApiRecord& api) {
  return session_.guarded("update_api", [&] {
    const std::string type(execution_type_name(api.type));
    const long long number = api.number, enabled = api.enabled ? 1 : 0, modified = api.modified_us;
    session_.sql()
        << "UPDATE apis SET type = :type, enabled = :enabled, settings = :settings, version_label = :label, "
           "modified_us = :modified WHERE number = :number AND deleted_us = 0",
        use(type, "type"), use(enabled, "enabled"), use(api.settings, "settings"),
        use(api.version_label, "label"), use(modified, "modified"), use(number, "number");
  });
}

Status SqlStore::delete_api(std::uint32_t number, WallUs now_us) {
  return session_.guarded("delete_api", [&] {
    const long long key = number, now = now_us;
    session_.sql() << "DELETE FROM api_keys WHERE api_number = :number", use(key, "number");
    session_.sql() << "DELETE FROM versions WHERE api_number = :number", use(key, "number");
    session_.sql()
        << "UPDATE apis SET deleted_us = :now, enabled = 0 WHERE number = :number AND deleted_us = 0",
        use(now, "now"), use(key, "number");
  });
}

Result<std::int64_t> SqlStore::count_apis_created(const std::string& owner_id, WallUs since_us) {
  return session_.guarded("count_apis_created", [&]() -> std::int64_t {
    long long count = 0;
    const long long since = since_us;
    session_.sql() << "SELECT COUNT(*) FROM apis WHERE owner_id = :owner AND created_us >= :since",
        into(count), use(owner_id, "owner"), use(since, "since");
    return count;
  });
}

Status SqlStore::add_version(const VersionRecord& version) {
  return session_.guarded("add_version", [&] {
    const long long number = version.api_number, published = version.published_us;
    session_.sql() << "INSERT INTO versions (api_number, label, job_id, published_us) "
                      "VALUES (:number, :label, :job, :published)",
        use(number, "number"), use(version.label, "label"), use(version.job_id, "job"),
        use(published, "published");
  });
}

Result<std::vector<VersionRecord>> SqlStore::list_versions(std::uint32_t api_number) {
  return session_.guarded("list_versions", [&] {
    std::vector<VersionRecord> all;
    VersionRecord version;
    long long published = 0;
    const long long number = api_number;
    soci::statement select =
        (session_.sql().prepare
             << "SELECT label, job_id, published_us FROM versions WHERE api_number = :number "
                "ORDER BY label DESC",
         into(version.label), into(version.job_id), into(published), use(number, "number"));
    select.execute();
    while (select.fetch()) {
      version.api_number = api_number;
      version.published_us = published;
      all.push_back(version);
    }
    return all;
  });
}

Status SqlStore::delete_version(std::uint32_t api_number, const std::string& label) {
  return session_.guarded("delete_version", [&] {
    const long long number = api_number;
    session_.sql() << "DELETE FROM versions WHERE api_number = :number AND label = :label",
        use(number, "number"), use(label, "label");
  });
}

Status SqlStore::add_key(const KeyRecord& key) {
  return session_.guarded("add_key", [&] {
    const long long number = key.api_number, created = key.created_us;
    session_.sql() << "INSERT INTO api_keys (id, api_number, name, digest, sealed, created_us) "
                      "VALUES (:id, :number, :name, :digest, :sealed, :created)",
        use(key.id, "id"), use(number, "number"), use(key.name, "name"), use(key.digest, "digest"),
        use(key.sealed, "sealed"), use(created, "created");
  });
}

Result<std::vector<KeyRecord>> SqlStore::list_keys(std::uint32_t api_number) {
  return session_.guarded("list_keys", [&] {
    std::vector<KeyRecord> all;
    KeyRecord key;
    long long number = 0, created = 0;
    const long long wanted = api_number;
    soci::statement select =
        (session_.sql().prepare
             << "SELECT id, api_number, name, digest, sealed, created_us FROM api_keys "
                "WHERE (:number = 0 OR api_number = :number) ORDER BY api_number, created_us, id",
         into(key.id), into(number), into(key.name), into(key.digest), into(key.sealed), into(created),
         use(wanted, "number"));
    select.execute();
    while (select.fetch()) {
      key.api_number = static_cast<std::uint32_t>(number);
      key.created_us = created;
      all.push_back(key);
    }
    return all;
  });
}

}  // namespace noren::server
