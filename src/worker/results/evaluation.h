// output_result.csv: what the model answered for each row of a dataset. Private to this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "worker/results/parts.h"
#include "worker/results/warnings.h"

namespace noren::worker::results {

struct EvaluationSize {
  std::int64_t rows_count = 0;
  std::int64_t columns_count = 0;
};

/// Writes the columns ({"columns": [{"name", "variable", "index", "label"}]}) and the rows in chunks, a JSON
/// array a line: numbers as they stand in the file, anything else as text. Nothing where the file has no
/// columns. Errors are the sink's.
Result<std::optional<EvaluationSize>> write_evaluation(std::string_view text, std::string_view file,
                                                       PartWriter& writer, std::vector<Part>& parts,
                                                       Warnings& warnings);

}  // namespace noren::worker::results
