// base/result_limits.h - The named limits of imported result folders, beside base/limits.h.
// The readers in the worker and the server's import read them here. Tested at the limit and one past.
#pragma once

#include "base/limits.h"

namespace noren::limits {

inline constexpr std::size_t kImportMembersCount = 100'000;  // of an uploaded archive of result folders
inline constexpr std::size_t kImportJobsCount = 1'000;
inline constexpr std::size_t kImportIndexBytes = 32 * kMiB;    // what a worker says of all of them
inline constexpr std::size_t kResultFilesCount = 64;           // of one folder, kept
inline constexpr std::size_t kResultTextBytes = 64 * kMiB;     // one of its texts or pictures
inline constexpr std::size_t kResultSummaryBytes = 16 * kKiB;  // what a list of jobs shows of it
inline constexpr std::size_t kResultWarningsCount = 20;
inline constexpr std::size_t kResultIniKeysCount = 64;  // of one section
inline constexpr std::int64_t kCurveEpochsCount = 100'000;
inline constexpr std::size_t kCurveSeriesCount = 16;
inline constexpr std::size_t kEvaluationFileBytes = 256 * kMiB;
inline constexpr std::size_t kEvaluationBytes = 512 * kMiB;  // what is made of it: short rows are filled up
inline constexpr std::size_t kEvaluationRowsCount = 1'000'000;
inline constexpr std::size_t kResultJsonBytes =
    64 * kMiB;  // one JSON text that is made of it, for one answer
inline constexpr std::size_t kImportDescriptionsBytes = 64 * kMiB;  // of all models of one import together
// What an import is believed to say of a worker's memory: sums of it stay numbers.
inline constexpr std::int64_t kModelMemoryBytes = static_cast<std::int64_t>(1024 * kGiB);
inline constexpr std::size_t kEvaluationChunkBytes = 4 * kMiB;  // of rows, kept as one blob
inline constexpr std::size_t kTableColumnsCount = 10'000;
inline constexpr std::size_t kTableCellBytes = 4 * kKiB;
inline constexpr std::size_t kMatrixSideCount = 2'000;
inline constexpr std::size_t kMatricesCount = 16;  // of one folder

}  // namespace noren::limits
