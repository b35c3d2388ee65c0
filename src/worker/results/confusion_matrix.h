// confusion_matrix_NAME.csv: how often each category was taken for which. Private to this folder.
#pragma once

#include <optional>
#include <string_view>

#include <boost/json/object.hpp>

#include "worker/results/warnings.h"

namespace noren::worker::results {

/// {"name", "columns", "rows", "counts", "accuracy", "recall", "precision", "f_measure", "avg_recall", …}.
/// The measures are computed from the counts, so they are whole where the file has four digits; one that
/// divides by zero is null. Nothing, and a warning, where it is no such matrix.
std::optional<boost::json::object> read_confusion_matrix(std::string_view text, std::string_view name,
                                                         std::string_view file, Warnings& warnings);

}  // namespace noren::worker::results
