// Text into the fields of Settings: one function for each type of option.
#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "server/config/options.h"

namespace noren::server {
namespace {

using Unit = std::pair<std::string_view, std::int64_t>;
constexpr Unit kCountUnits[] = {{"", 1}};
constexpr Unit kByteUnits[] = {{"", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
constexpr Unit kDurationUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};

std::span<const Unit> units_of(OptionType type) {
  if (type == OptionType::kBytes) return kByteUnits;
  if (type == OptionType::kDuration) return kDurationUnits;
  return kCountUnits;
}

std::string written(std::int64_t value, OptionType type) {
  if (type == OptionType::kDuration) return fmt::format("{}ms", value);
  return fmt::format("{}", value);
}

Error refused(const OptionRow& row, std::string_view text, std::string_view wanted) {
  return invalid(fmt::format("option '{}': '{}' is not {}", row.name, text.substr(0, 200), wanted));
}

std::string form_of_number(OptionType type) {
  if (type == OptionType::kBytes) return "a size such as 512MiB";
  if (type == OptionType::kDuration) return "a time such as 30s";
  return "a whole number";
}

Result<std::int64_t> parse_number(const OptionRow& row, std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{}) return refused(row, text, form_of_number(row.type));
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [unit, factor] : units_of(row.type)) {
    // Zero needs no unit: it stands for "decide yourself".
    if (suffix != unit && !(number == 0 && suffix.empty())) continue;
    std::int64_t value = 0;
    if (__builtin_mul_overflow(number, factor, &value) || value < row.least || value > row.most)
      return invalid(fmt::format("option '{}': {} is outside {} to {}", row.name, text,
                                 written(row.least, row.type), written(row.most, row.type)));
    return value;
  }
  return refused(row, text, form_of_number(row.type));
}

bool is_choice(std::string_view choices, std::string_view word) {
  while (!choices.empty()) {
    const std::size_t end = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, end) == word) return true;
    choices.remove_prefix(std::min(end + 1, choices.size()));
  }
  return false;
}

Result<std::string> parse_text(const OptionRow& row, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return refused(row, "(text with a zero byte)", "usable");
  if (row.type == OptionType::kAddress && !text.empty()) {
    const auto address = parse_host_and_port(text);
    if (!address.ok()) return invalid(fmt::format("option '{}': {}", row.name, address.error().text));
  }
  if (row.type == OptionType::kUrl && !text.empty()) {
    if (!text.starts_with("http://") && !text.starts_with("https://"))
      return refused(row, text, "a URL that begins with http:// or https://");
    while (text.ends_with('/')) text.remove_suffix(1);
  }
  if (row.type == OptionType::kPath && text.empty() && !row.default_text.empty())
    return refused(row, text, "a path");
  if (row.type == OptionType::kChoice && !is_choice(row.choices, text))
    return refused(row, text, fmt::format("one of: {}", row.choices));
  return std::string(text);
}

Result<bool> parse_switch(const OptionRow& row, std::string_view text) {
  if (text == "on" || text == "true") return true;
  if (text == "off" || text == "false") return false;
  return refused(row, text, "on or off");
}

}  // namespace

Result<HostAndPort> parse_host_and_port(std::string_view text) {
  const Error wrong = invalid(
      fmt::format("'{}' is not HOST:PORT (such as 127.0.0.1:8080 or [::1]:8080)", text.substr(0, 200)));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 3) return wrong;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos || host.find('/') != std::string_view::npos) {
    return wrong;
  }
  HostAndPort address;
  address.host = host.empty() ? "0.0.0.0" : std::string(host);
  const char* const last = port_text.data() + port_text.size();
  const auto [end, failure] = std::from_chars(port_text.data(), last, address.port);
  if (failure != std::errc{} || end != last) return wrong;
  return address;
}

Status set_option(Settings& settings, std::string_view name, std::string_view text) {
  const OptionRow* row = find_option(name);
  if (row == nullptr) return invalid(fmt::format("unknown option '{}'", name.substr(0, 200)));
  if (const auto* number = std::get_if<std::int64_t Settings::*>(&row->field)) {
    ASSIGN_OR_RETURN(settings.*(*number), parse_number(*row, text));
  } else if (const auto* flag = std::get_if<bool Settings::*>(&row->field)) {
    ASSIGN_OR_RETURN(settings.*(*flag), parse_switch(*row, text));
  } else {
    ASSIGN_OR_RETURN(settings.*std::get<std::string Settings::*>(row->field), parse_text(*row, text));
  }
  return Ok{};
}

}  // namespace noren::server
