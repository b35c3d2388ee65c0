// server/store/result_records.h - The rows of result folders as plain structs, beside records.h.
// Filled by the store, read and made by the control plane, on the control thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace noren::server {

/// Something that a job's result folder held, or that was made of it: a row a blob.
struct JobFileRecord {
  std::string job_id;
  std::int64_t number = 0;  ///< the order in which they were written
  std::string kind;         ///< "file" (as it came), "curves", "confusion", "columns", "rows"
  std::string name;
  std::string blob_hash;
  std::int64_t size_bytes = 0;
  std::int64_t first_row = 0;  ///< of "rows"
  std::int64_t rows_count = 0;
};

/// The jobs of one owner that have this project's name.
struct ProjectRow {
  std::string name;
  std::int64_t jobs_count = 0;
  std::int64_t newest_number = 0;
  WallUs newest_us = 0;
};

}  // namespace noren::server
