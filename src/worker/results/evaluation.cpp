#include "worker/results/evaluation.h"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "base/result_limits.h"
#include "worker/model_file/text.h"
#include "worker/results/csv.h"
#include "worker/results/values.h"

namespace noren::worker::results {
namespace {

namespace json = boost::json;

constexpr std::size_t kColumnNameBytes = 256;

/// A column's head is VARIABLE, VARIABLE__INDEX, VARIABLE:LABEL or VARIABLE__INDEX:LABEL.
json::object column_json(std::string_view head) {
  json::object column{{"name", clean_text(head, kColumnNameBytes)}};
  const std::size_t colon = head.find(':');
  std::string_view variable = head.substr(0, colon);
  const std::size_t mark = variable.rfind("__");
  const auto index = mark == std::string_view::npos ? std::nullopt : parse_count(variable.substr(mark + 2));
  if (index) variable = variable.substr(0, mark);
  column["variable"] = clean_text(variable, kColumnNameBytes);
  if (index) column["index"] = *index;
  if (colon != std::string_view::npos) column["label"] = clean_text(head.substr(colon + 1), kColumnNameBytes);
  return column;
}

/// Most cells need no care, and there may be millions of them.
bool is_plain(std::string_view cell) {
  return std::all_of(cell.begin(), cell.end(),
                     [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

void append_cell(std::string& line, std::string_view cell) {
  if (is_json_number(cell))
    line += cell;
  else if (is_plain(cell))
    line.append("\"").append(cell).append("\"");
  else
    line += json::serialize(json::string(clean_text(cell, limits::kTableCellBytes)));
}

class EvaluationWriter {
 public:
  EvaluationWriter(std::string_view file, PartWriter& writer, std::vector<Part>& parts, Warnings& warnings)
      : file_(file), writer_(writer), parts_(parts), warnings_(warnings) {}

  Result<std::optional<EvaluationSize>> write(std::string_view text) {
    if (!is_utf8(text)) warnings_.add(file_, "it is not UTF-8; what can't be read is shown as \xEF\xBF\xBD");
    CsvReader reader(without_byte_order_mark(text));
    std::vector<std::string> cells;
    if (!reader.next(cells) || (cells.size() == 1 && trimmed(cells[0]).empty())) {
      warnings_.add_at(file_, 1, "the line with the columns' names is missing");
      return std::optional<EvaluationSize>();
    }
    TRY(write_columns(cells, reader));
    while (reader.next(cells)) {
      if (cells.size() == 1 && cells[0].empty()) continue;
      if (size_.rows_count == static_cast<std::int64_t>(limits::kEvaluationRowsCount) ||
          written_bytes_ > limits::kEvaluationBytes) {
        warnings_.add_at(file_, reader.line(),
                         "only the first " + std::to_string(size_.rows_count) + " rows are kept");
        break;
      }
      check_width(reader);
      append_row(cells);
      if (chunk_.size() >= limits::kEvaluationChunkBytes) TRY(flush());
    }
    if (reader.is_open()) warnings_.add_at(file_, reader.line(), "the file ends inside of quotes");
    TRY(flush());
    return std::optional<EvaluationSize>(size_);
  }

 private:
  Status write_columns(const std::vector<std::string>& cells, const CsvReader& reader) {
    if (reader.cells_count() > cells.size())
      warnings_.add_at(file_, reader.line(),
                       "only the first " + std::to_string(cells.size()) + " of " +
                           std::to_string(reader.cells_count()) + " columns are kept");
    json::array columns;
    for (const std::string& cell : cells) columns.push_back(column_json(cell));
    size_.columns_count = static_cast<std::int64_t>(cells.size());
    const std::string text = json::serialize(json::object{{"columns", std::move(columns)}});
    ASSIGN_OR_RETURN(Part part, writer_.add("columns", std::string(file_), bytes_of(text)));
    parts_.push_back(std::move(part));
    return Ok{};
  }

  void check_width(const CsvReader& reader) {
    const auto columns = static_cast<std::size_t>(size_.columns_count);
    if (columns == limits::kTableColumnsCount ? reader.cells_count() >= columns
                                              : reader.cells_count() == columns)
      return;
    warnings_.add_at(file_, reader.line(),
                     std::to_string(reader.cells_count()) + " cells where there are " +
                         std::to_string(columns) + " columns");
  }

  /// Exactly as many cells as there are columns.
  void append_row(const std::vector<std::string>& cells) {
    chunk_ += '[';
    for (std::size_t i = 0; i < static_cast<std::size_t>(size_.columns_count); ++i) {
      if (i > 0) chunk_ += ',';
      append_cell(chunk_, i < cells.size() ? std::string_view(cells[i]) : std::string_view());
    }
    chunk_ += "]\n";
    ++size_.rows_count;
  }

  Status flush() {
    if (chunk_.empty()) return Ok{};
    ASSIGN_OR_RETURN(Part part, writer_.add("rows", std::string(file_), bytes_of(chunk_)));
    part.first_row = flushed_count_;
    part.rows_count = size_.rows_count - flushed_count_;
    flushed_count_ = size_.rows_count;
    written_bytes_ += chunk_.size();
    parts_.push_back(std::move(part));
    chunk_.clear();
    return Ok{};
  }

  std::string_view file_;
  PartWriter& writer_;
  std::vector<Part>& parts_;
  Warnings& warnings_;
  EvaluationSize size_;
  std::int64_t flushed_count_ = 0;
  std::uint64_t written_bytes_ = 0;
  std::string chunk_;
};

}  // namespace

Result<std::optional<EvaluationSize>> write_evaluation(std::string_view text, std::string_view file,
                                                       PartWriter& writer, std::vector<Part>& parts,
                                                       Warnings& warnings) {
  return EvaluationWriter(file, writer, parts, warnings).write(text);
}

}  // namespace noren::worker::results
