#include "worker/results/confusion_matrix.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "base/result_limits.h"
#include "worker/results/csv.h"
#include "worker/results/values.h"

namespace noren::worker::results {
namespace {

namespace json = boost::json;

constexpr std::size_t kLabelBytes = 256;
/// The file has its measures with four digits, cut or rounded.
constexpr double kRecordedDigits = 1.5e-4;

struct Matrix {
  std::vector<std::string> columns, rows;
  std::vector<std::vector<std::int64_t>> counts;
  std::optional<double> recorded_accuracy;
};

struct Measures {
  std::vector<std::optional<double>> recall, precision, f_measure;
  std::optional<double> accuracy;
};

std::optional<double> ratio(double part, double whole) {
  if (whole == 0) return std::nullopt;
  return part / whole;
}

Measures measures_of(const Matrix& matrix) {
  const std::size_t side = matrix.rows.size();
  std::vector<double> row_sums(side), column_sums(side);
  double right = 0, all = 0;
  for (std::size_t i = 0; i < side; ++i) {
    for (std::size_t k = 0; k < side; ++k) {
      const auto count = static_cast<double>(matrix.counts[i][k]);
      row_sums[i] += count;
      column_sums[k] += count;
      all += count;
      right += i == k ? count : 0;
    }
  }
  Measures measures;
  measures.accuracy = ratio(right, all);
  for (std::size_t i = 0; i < side; ++i) {
    const auto hits = static_cast<double>(matrix.counts[i][i]);
    measures.recall.push_back(ratio(hits, row_sums[i]));
    measures.precision.push_back(ratio(hits, column_sums[i]));
    measures.f_measure.push_back(ratio(2 * hits, row_sums[i] + column_sums[i]));
  }
  return measures;
}

/// Of the categories that have one.
std::optional<double> mean_of(const std::vector<std::optional<double>>& values) {
  double sum = 0, count = 0;
  for (const auto& value : values) {
    if (!value) continue;
    sum += *value;
    ++count;
  }
  return ratio(sum, count);
}

json::value optional_json(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

void add_measures(json::object& matrix, const Measures& measures) {
  matrix["accuracy"] = optional_json(measures.accuracy);
  const auto add = [&](const char* name, const char* mean_name, const auto& values) {
    json::array list;
    for (const auto& value : values) list.push_back(optional_json(value));
    matrix[name] = std::move(list);
    matrix[mean_name] = optional_json(mean_of(values));
  };
  add("recall", "avg_recall", measures.recall);
  add("precision", "avg_precision", measures.precision);
  add("f_measure", "avg_f_measure", measures.f_measure);
}

class MatrixReader {
 public:
  MatrixReader(std::string_view text, std::string_view file, Warnings& warnings)
      : reader_(without_byte_order_mark(text)), file_(file), warnings_(warnings) {}

  std::optional<Matrix> read() {
    std::vector<std::string> cells;
    if (!reader_.next(cells) || cells.size() < 3 || !trimmed(cells.front()).empty() ||
        trimmed(cells.back()) != "Recall")
      return refuse(1, "this is not the head of a confusion matrix (,CATEGORY…,Recall)");
    for (std::size_t i = 1; i + 1 < cells.size(); ++i)
      matrix_.columns.push_back(clean_text(cells[i], kLabelBytes));
    if (matrix_.columns.size() > limits::kMatrixSideCount)
      return refuse(1, "it has more than " + std::to_string(limits::kMatrixSideCount) + " categories");
    bool in_counts = true;
    while (reader_.next(cells)) {
      in_counts = in_counts && !is_measure(trimmed(cells[0]));
      if (in_counts && !add_row(cells)) return std::nullopt;
      if (!in_counts && trimmed(cells[0]) == "Accuracy" && cells.size() > 1)
        matrix_.recorded_accuracy = parse_number(trimmed(cells[1]));
    }
    if (matrix_.rows.empty()) return refuse(2, "there are no counts");
    return std::move(matrix_);
  }

 private:
  /// What stands under the counts.
  static bool is_measure(std::string_view label) {
    return label.empty() || label == "Precision" || label == "F-Measures" || label == "Accuracy" ||
           label.starts_with("Avg.");
  }

  std::nullopt_t refuse(std::size_t line, std::string_view what) {
    warnings_.add_at(file_, line, std::string(what) + ": the matrix is left out");
    return std::nullopt;
  }

  bool add_row(const std::vector<std::string>& cells) {
    const std::size_t width = matrix_.columns.size();
    if (matrix_.rows.size() == limits::kMatrixSideCount || cells.size() < width + 1) {
      refuse(reader_.line(), "the row has not one count for each category");
      return false;
    }
    std::vector<std::int64_t> counts;
    for (std::size_t i = 1; i <= width; ++i) {
      const auto count = parse_count(trimmed(cells[i]));
      if (!count) {
        refuse(reader_.line(), "cell " + std::to_string(i + 1) + " is no count");
        return false;
      }
      counts.push_back(*count);
    }
    matrix_.rows.push_back(clean_text(cells[0], kLabelBytes));
    matrix_.counts.push_back(std::move(counts));
    return true;
  }

  CsvReader reader_;
  std::string_view file_;
  Warnings& warnings_;
  Matrix matrix_;
};

}  // namespace

std::optional<json::object> read_confusion_matrix(std::string_view text, std::string_view name,
                                                  std::string_view file, Warnings& warnings) {
  const auto matrix = MatrixReader(text, file, warnings).read();
  if (!matrix) return std::nullopt;
  json::array counts;
  for (const auto& row : matrix->counts) counts.push_back(json::array(row.begin(), row.end()));
  json::object result{{"name", clean_text(name, kLabelBytes)},
                      {"columns", json::array(matrix->columns.begin(), matrix->columns.end())},
                      {"rows", json::array(matrix->rows.begin(), matrix->rows.end())},
                      {"counts", std::move(counts)}};
  if (matrix->rows.size() != matrix->columns.size()) {
    warnings.add(file, "its rows and columns are not the same categories, so it has no measures");
    return result;
  }
  const Measures measures = measures_of(*matrix);
  add_measures(result, measures);
  const double accuracy = measures.accuracy.value_or(NAN);
  if (matrix->recorded_accuracy && std::abs(*matrix->recorded_accuracy - accuracy) > kRecordedDigits)
    warnings.add(file, "its Accuracy is not what its counts give");
  return result;
}

}  // namespace noren::worker::results
