// What a person should know about the files of a folder: a few sentences a file, never more than a page.
// Private to this folder.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace noren::worker::results {

class Warnings {
 public:
  /// "FILE: what".
  void add(std::string_view file, std::string_view what);
  /// "FILE, line N: what"; of one file, the first few, then one that says that there are more.
  void add_at(std::string_view file, std::size_t line, std::string_view what);

  const std::vector<std::string>& list() const { return list_; }

 private:
  bool has_room(std::string_view file);
  std::vector<std::string> list_;
  std::map<std::string, std::size_t, std::less<>> count_of_file_;
};

}  // namespace noren::worker::results
