-- What a worker of the model takes, as its import found; 0 where an older noren imported it.
ALTER TABLE jobs ADD COLUMN memory_bytes BIGINT NOT NULL DEFAULT 0;
