-- Portable SQL (SQLite, PostgreSQL): TEXT and BIGINT only, times in microseconds since 1970, 0 for never, no NULL.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  text TEXT NOT NULL
);

-- People, later groups too.
CREATE TABLE owners (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  plan TEXT NOT NULL,
  role TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created_us BIGINT NOT NULL
);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL REFERENCES owners (id),
  name TEXT NOT NULL,
  digest TEXT NOT NULL UNIQUE,
  created_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL
);

CREATE TABLE jobs (
  number BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  owner_id TEXT NOT NULL REFERENCES owners (id),
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  file_name TEXT NOT NULL,
  upload_hash TEXT NOT NULL,
  package_hash TEXT NOT NULL,
  upload_bytes BIGINT NOT NULL,
  cost_parameter BIGINT NOT NULL,
  description TEXT NOT NULL,
  kept BIGINT NOT NULL,
  created_us BIGINT NOT NULL
);
CREATE INDEX jobs_of_owner ON jobs (owner_id, number);
CREATE INDEX jobs_by_upload ON jobs (upload_hash);
CREATE INDEX jobs_by_package ON jobs (package_hash);

-- A deleted API keeps its row (deleted_us > 0): numbers are never given twice, and usage keeps its owner.
CREATE TABLE apis (
  number BIGINT PRIMARY KEY,
  id TEXT NOT NULL,
  owner_id TEXT NOT NULL REFERENCES owners (id),
  type TEXT NOT NULL,
  enabled BIGINT NOT NULL,
  settings TEXT NOT NULL,
  version_label TEXT NOT NULL,
  created_us BIGINT NOT NULL,
  modified_us BIGINT NOT NULL,
  deleted_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX apis_by_id ON apis (id) WHERE deleted_us = 0;
CREATE INDEX apis_of_owner ON apis (owner_id, created_us);

CREATE TABLE versions (
  api_number BIGINT NOT NULL REFERENCES apis (number),
  label TEXT NOT NULL,
  job_id TEXT NOT NULL REFERENCES jobs (id),
  published_us BIGINT NOT NULL,
  PRIMARY KEY (api_number, label)
);
CREATE INDEX versions_of_job ON versions (job_id);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  api_number BIGINT NOT NULL REFERENCES apis (number),
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_us BIGINT NOT NULL
);
CREATE INDEX api_keys_of_api ON api_keys (api_number);

-- Absolute counts of one server, by outcome; '' collects the servers that are no more.
CREATE TABLE usage (
  api_number BIGINT NOT NULL REFERENCES apis (number),
  day BIGINT NOT NULL,
  server_id TEXT NOT NULL,
  succeeded BIGINT NOT NULL,
  refused BIGINT NOT NULL,
  invalid BIGINT NOT NULL,
  timed_out BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  abandoned BIGINT NOT NULL,
  PRIMARY KEY (api_number, day, server_id)
);

-- Free requests handed out to a server, less what it gave back.
CREATE TABLE leases (
  api_number BIGINT NOT NULL REFERENCES apis (number),
  server_id TEXT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (api_number, server_id)
);

CREATE TABLE audit (
  number BIGINT PRIMARY KEY,
  at_us BIGINT NOT NULL,
  owner_id TEXT NOT NULL,
  remote_address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL
);

CREATE TABLE idempotency (
  owner_id TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  answer TEXT NOT NULL,
  created_us BIGINT NOT NULL,
  PRIMARY KEY (owner_id, key)
);
