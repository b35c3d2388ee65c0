-- Result folders: what a job's folder held and what was made of it, a blob a row; the summary that lists show.

ALTER TABLE jobs ADD COLUMN results TEXT NOT NULL DEFAULT '';

CREATE TABLE job_files (
  job_id TEXT NOT NULL REFERENCES jobs (id),
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  blob_hash TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  first_row BIGINT NOT NULL,
  rows_count BIGINT NOT NULL,
  PRIMARY KEY (job_id, number)
);
CREATE INDEX job_files_by_blob ON job_files (blob_hash);
CREATE INDEX jobs_of_project ON jobs (owner_id, project, number);
