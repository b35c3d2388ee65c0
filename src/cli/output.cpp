// Words for people and programs. Results go to stdout, everything else to stderr.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/session.h"
#include "cli/settings.h"

namespace noren::cli {
namespace {

/// Columns that a text takes on a terminal: characters of East Asia take two.
std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) width += byte >= 0xe2 ? 2 : 1;
  }
  return width;
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t own = width_of(text);
  if (own < width) text.append(width - own, ' ');
  return text;
}

}  // namespace

std::string text_of(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t number_of(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  boost::json::error_code failure;
  return value->to_number<std::int64_t>(failure);
}

const boost::json::object& object_in(const boost::json::object& object, std::string_view name) {
  static const boost::json::object kNone;
  const boost::json::value* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

const boost::json::array& list_in(const boost::json::object& object, std::string_view name) {
  static const boost::json::array kNone;
  const boost::json::value* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

std::string shown(const boost::json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_double()) return fmt::format("{}", value.get_double());
  return value.is_null() ? "-" : boost::json::serialize(value);
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const boost::json::object& object) { print(boost::json::serialize(object) + "\n"); }

void remark(std::string_view text) {
  const std::string line = "noren: " + std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print_lines(const std::vector<Line>& lines) {
  std::size_t width = 0;
  for (const Line& line : lines) width = std::max(width, width_of(line.name));
  for (const Line& line : lines) print(padded(line.name, width) + "  " + line.value + "\n");
}

void print_members(const boost::json::object& object, const std::string& title) {
  if (object.empty()) return;
  print("\n" + title + "\n");
  std::vector<Line> lines;
  for (const auto& member : object)
    lines.push_back({"  " + std::string(member.key()), shown(member.value())});
  print_lines(lines);
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i + 1 < row.size() ? padded(row[i], widths[i] + 2) : row[i];
    print(line + "\n");
  }
}

int exit_status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return 2;
    case Code::kNotFound: return 3;
    case Code::kAlreadyExists: return 4;
    case Code::kUnauthenticated: return 5;
    case Code::kPermissionDenied: return 6;
    case Code::kFailedPrecondition: return 7;
    case Code::kUnsupported: return 8;
    case Code::kCorrupt: return 9;
    case Code::kTooLarge: return 10;
    case Code::kExhausted: return 11;
    case Code::kDeadlineExceeded: return 12;
    case Code::kUnavailable: return 13;
    case Code::kInternal: return 63;
  }
  return 63;
}

void print_api(const boost::json::object& api, Form form) {
  if (form == Form::kJson) return print_json(api);
  std::vector<Line> lines;
  for (const auto& member : api) {
    const boost::json::value& value = member.value();
    const std::string text = member.key() == "schedule" ? schedule_text(value)
                             : value.is_string()        ? std::string(value.get_string())
                                                        : boost::json::serialize(value);
    lines.push_back({std::string(member.key()), text});
  }
  print_lines(lines);
}

}  // namespace noren::cli
