-- How long instances of dedicated APIs ran: one row for each piece of time that one instance (a slot of the API)
-- served on one server. from_us never changes, until_us grows while it runs, so a row that is written twice does no
-- harm, and what was written before a crash stands. Several servers may run the same slot: it is billed once.
CREATE TABLE instance_time (
  api_number BIGINT NOT NULL REFERENCES apis (number),
  slot BIGINT NOT NULL,
  server_id TEXT NOT NULL,
  from_us BIGINT NOT NULL,
  until_us BIGINT NOT NULL,
  on_gpu BIGINT NOT NULL,
  PRIMARY KEY (api_number, slot, server_id, from_us)
);
