// Transactions, meta, owners, tokens, audit, idempotency.
#include "server/store/sql/sql_store.h"

#include "base/log.h"
#include "server/store/sql/store_impl.h"
#include "server/store/words.h"

namespace noren::server {

using soci::into;
using soci::use;

Result<std::unique_ptr<Store>> open_sql_store(std::unique_ptr<soci::session> session, SqlDialect dialect) {
  auto store = std::make_unique<SqlStore>(SqlSession(std::move(session), std::move(dialect)));
  TRY(store->prepare());
  return std::unique_ptr<Store>(std::move(store));
}

Status SqlStore::transaction(const std::function<Status()>& work) {
  CHECK(!in_transaction_);
  TRY(session_.guarded("begin", [&] { session_.sql().begin(); }));
  in_transaction_ = true;
  Status done = work();
  in_transaction_ = false;
  if (done.ok()) done = session_.guarded("commit", [&] { session_.sql().commit(); });
  if (!done.ok()) {
    const Status back = session_.guarded("rollback", [&] { session_.sql().rollback(); });
    // A failed commit may have ended the transaction already; then there is nothing to roll back.
    if (!back.ok()) log(LogLevel::kDebug, "store.rollback", {{"error", describe(back.error())}});
  }
  return done;
}

Result<std::optional<std::string>> SqlStore::find_meta(const std::string& name) {
  return session_.guarded("find_meta", [&]() -> std::optional<std::string> {
    std::string text;
    soci::statement select =
        (session_.sql().prepare << "SELECT text FROM meta WHERE name = :name", into(text), use(name, "name"));
    if (!select.execute(true)) return std::nullopt;
    return text;
  });
}

Status SqlStore::set_meta(const std::string& name, const std::string& text) {
  return session_.guarded("set_meta", [&] {
    session_.sql() << "INSERT INTO meta (name, text) VALUES (:name, :text) "
                      "ON CONFLICT (name) DO UPDATE SET text = excluded.text",
        use(name, "name"), use(text, "text");
  });
}

Status SqlStore::add_owner(const OwnerRecord& owner) {
  return session_.guarded("add_owner", [&] {
    const std::string kind(word_of(owner.kind));
    const std::string plan(word_of(owner.plan));
    const std::string role(word_of(owner.role));
    const long long created = owner.created_us;
    session_.sql() << "INSERT INTO owners (id, kind, name, plan, role, password_hash, created_us) "
                      "VALUES (:id, :kind, :name, :plan, :role, :password_hash, :created)",
        use(owner.id, "id"), use(kind, "kind"), use(owner.name, "name"), use(plan, "plan"), use(role, "role"),
        use(owner.password_hash, "password_hash"), use(created, "created");
  });
}

Result<std::optional<OwnerRecord>> SqlStore::find_owner_where(const char* condition,
                                                              const std::string& value) {
  OwnerRecord owner;
  std::string kind, plan, role;
  long long created = 0;
  auto found =
      session_.guarded(
          "find_owner", [&] {
            soci::statement select =
                (session_.sql().prepare
                     << "SELECT id, kind, name, plan, role, password_hash, created_us FROM owners WHERE "
                     << condition,
                 into(owner.id), into(kind), into(owner.name), into(plan), into(role),
                 into(owner.password_hash), into(created), use(value, "value"));
            return select.execute(true);
          });
  if (!found.ok()) return found.error();
  if (!*found) return std::optional<OwnerRecord>();
  ASSIGN_OR_RETURN(owner.kind, owner_kind_of(kind));
  ASSIGN_OR_RETURN(owner.plan, owner_plan_of(plan));
  ASSIGN_OR_RETURN(owner.role, role_of(role));
  owner.created_us = created;
  return std::optional<OwnerRecord>(std::move(owner));
}

Result<std::optional<OwnerRecord>> SqlStore::find_owner(const std::string& id) {
  return find_owner_where("id = :value", id);
}

Result<std::optional<OwnerRecord>> SqlStore::find_owner_by_name(const std::string& name) {
  return find_owner_where("name = :value", name);
}

Status SqlStore::set_owner_plan(const std::string& id, OwnerPlan plan) {
  return session_.guarded("set_owner_plan", [&] {
    const std::string word(word_of(plan));
    session_.sql() << "UPDATE owners SET plan = :plan WHERE id = :id", use(word, "plan"), use(id, "id");
  });
}

Status SqlStore::add_token(const TokenRecord& token) {
  return session_.guarded("add_token", [&] {
    const long long created = token.created_us, expires = token.expires_us;
    session_.sql() << "INSERT INTO tokens (id, owner_id, name, digest, created_us, expires_us) "
                      "VALUES (:id, :owner, :name, :digest, :created, :expires)",
        use(token.id, "id"), use(token.owner_id, "owner"), use(token.name, "name"),
        use(token.digest, "digest"), use(created, "created"), use(expires, "expires");
  });
}

Result<std::optional<TokenRecord>> SqlStore::find_token(const std::string& digest) {
  return session_.guarded("find_token", [&]() -> std::optional<TokenRecord> {
    TokenRecord token;
    long long created = 0, expires = 0;
    soci::statement select = (session_.sql().prepare << "SELECT id, owner_id, name, digest, created_us, "
                                                        "expires_us FROM tokens WHERE digest = :digest",
                              into(token.id), into(token.owner_id), into(token.name), into(token.digest),
                              into(created), into(expires), use(digest, "digest"));
    if (!select.execute(true)) return std::nullopt;
    token.created_us = created;
    token.expires_us = expires;
    return token;
  });
}

Status SqlStore::add_audit(const AuditRecord& record) {
  return session_.guarded("add_audit", [&] {
    const long long at = record.at_us;
    session_.sql()
        << "INSERT INTO audit (number, at_us, owner_id, remote_address, request_id, action, target, detail) "
           "SELECT COALESCE(MAX(number), 0) + 1, :at, :owner, :remote, :request, :action, :target, :detail "
           "FROM audit",
        use(at, "at"), use(record.owner_id, "owner"), use(record.remote_address, "remote"),
        use(record.request_id, "request"), use(record.action, "action"), use(record.target, "target"),
        use(record.detail, "detail");
  });
}

Result<std::vector<AuditRecord>> SqlStore::list_audit(std::int64_t limit_count) {
  return session_.guarded("list_audit", [&] {
    std::vector<AuditRecord> all;
    AuditRecord row;
    long long at = 0;
    const long long limit = limit_count;
    soci::statement select =
        (session_.sql().prepare
             << "SELECT at_us, owner_id, remote_address, request_id, action, target, detail "
                "FROM audit ORDER BY number DESC LIMIT :limit",
         into(at), into(row.owner_id), into(row.remote_address), into(row.request_id), into(row.action),
         into(row.target), into(row.detail), use(limit, "limit"));
    select.execute();
    while (select.fetch()) {
      row.at_us = at;
      all.push_back(row);
    }
    return all;
  });
}

Result<std::optional<IdempotencyRecord>> SqlStore::find_idempotency(const std::string& owner_id,
                                                                    const std::string& key) {
  return session_.guarded("find_idempotency", [&]() -> std::optional<IdempotencyRecord> {
    IdempotencyRecord record;
    long long created = 0;
    soci::statement select =
        (session_.sql().prepare << "SELECT owner_id, key, fingerprint, answer, created_us FROM idempotency "
                                   "WHERE owner_id = :owner AND key = :key",
         into(record.owner_id), into(record.key), into(record.fingerprint), into(record.answer),
         into(created), use(owner_id, "owner"), use(key, "key"));
    if (!select.execute(true)) return std::nullopt;
    record.created_us = created;
    return record;
  });
}

Status SqlStore::add_idempotency(const IdempotencyRecord& record) {
  return session_.guarded("add_idempotency", [&] {
    const long long created = record.created_us;
    session_.sql() << "INSERT INTO idempotency (owner_id, key, fingerprint, answer, created_us) "
                      "VALUES (:owner, :key, :fingerprint, :answer, :created)",
        use(record.owner_id, "owner"), use(record.key, "key"), use(record.fingerprint, "fingerprint"),
        use(record.answer, "answer"), use(created, "created");
  });
}

Status SqlStore::forget_idempotency(WallUs before_us) {
  return session_.guarded("forget_idempotency", [&] {
    const long long before = before_us;
    session_.sql() << "DELETE FROM idempotency WHERE created_us < :before", use(before, "before");
  });
}

}  // namespace noren::server
