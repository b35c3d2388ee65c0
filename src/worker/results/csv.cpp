#include "worker/results/csv.h"

#include <utility>

#include "base/result_limits.h"

namespace noren::worker::results {

void CsvReader::end_cell(std::vector<std::string>& cells) {
  ++cells_count_;
  if (cells_count_ <= limits::kTableColumnsCount) cells.push_back(std::move(cell_));
  cell_.clear();
}

/// Behind an opening quote, up to and with the closing one.
void CsvReader::read_quoted() {
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '\n') ++line_;
    if (c == '"') {
      if (at_ >= text_.size() || text_[at_] != '"') return;
      ++at_;
    }
    if (cell_.size() < limits::kTableCellBytes) cell_ += c;
  }
  open_ = true;
}

bool CsvReader::next(std::vector<std::string>& cells) {
  cells.clear();
  cells_count_ = 0;
  cell_.clear();
  if (at_ >= text_.size()) return false;
  record_line_ = line_;
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '"' && cell_.empty()) {
      read_quoted();
    } else if (c == ',') {
      end_cell(cells);
    } else if (c == '\n' || c == '\r') {
      if (c == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
      ++line_;
      break;
    } else if (cell_.size() < limits::kTableCellBytes) {
      cell_ += c;
    }
  }
  end_cell(cells);
  return true;
}

}  // namespace noren::worker::results
