// Tables with commas, as RFC 4180 has them and a little worse. Private to this folder.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace noren::worker::results {

/// Reads record after record. `text` outlives it. Quotes, doubled quotes, line ends of any kind; a cell is
/// cut at limits::kTableCellBytes, and cells past limits::kTableColumnsCount are counted and dropped.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {}

  /// False at the end.
  bool next(std::vector<std::string>& cells);
  /// The line, from 1, on which the last record began.
  std::size_t line() const { return record_line_; }
  /// Cells that the last record had.
  std::size_t cells_count() const { return cells_count_; }
  /// The file ended inside quotes.
  bool is_open() const { return open_; }

 private:
  void end_cell(std::vector<std::string>& cells);
  void read_quoted();

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t record_line_ = 0;
  std::size_t cells_count_ = 0;
  std::string cell_;
  bool open_ = false;
};

}  // namespace noren::worker::results
