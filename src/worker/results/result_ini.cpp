#include "worker/results/result_ini.h"

#include <boost/json.hpp>

#include "base/result_limits.h"
#include "worker/results/values.h"

namespace noren::worker::results {
namespace {

constexpr std::size_t kValueBytes = 128;

boost::json::value value_json(std::string_view text) {
  const auto number = parse_number(text);
  if (number) return number_json(*number);
  return boost::json::string(clean_text(text, kValueBytes));
}

}  // namespace

boost::json::object read_result_ini(std::string_view text, std::string_view file, Warnings& warnings) {
  boost::json::object sections;
  boost::json::object* section = nullptr;
  bool known = false;
  text = without_byte_order_mark(text);
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::string_view content = trimmed(take_line(text));
    if (content.empty() || content[0] == ';' || content[0] == '#') continue;
    if (content.front() == '[' && content.back() == ']') {
      const std::string_view name = content.substr(1, content.size() - 2);
      known = name == "result" || name == "statistics";
      section = known ? &sections[name].emplace_object() : nullptr;
      continue;
    }
    const std::size_t equals = content.find('=');
    const std::string_view key = trimmed(content.substr(0, std::min(equals, content.size())));
    if (equals == std::string_view::npos || key.empty() || key.size() > kValueBytes) {
      warnings.add_at(file, line, "this is no 'name=value'");
    } else if (section != nullptr) {
      if (section->size() >= limits::kResultIniKeysCount) {
        warnings.add_at(
            file, line,
            "the section has more than " + std::to_string(limits::kResultIniKeysCount) + " values");
        section = nullptr;
      } else {
        (*section)[clean_text(key, kValueBytes)] = value_json(trimmed(content.substr(equals + 1)));
      }
    }
  }
  return sections;
}

}  // namespace noren::worker::results
