// The config file (TOML): every key is an option's name; anything else in it is an error that names the key.
#include <fmt/format.h>
#include <toml++/toml.h>

#include "server/config/options.h"

namespace noren::server {
namespace {

Result<std::string> text_of_node(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto flag = node.value_exact<bool>()) return std::string(*flag ? "on" : "off");
  return invalid("takes text, a whole number, true or false");
}

Status apply_file(Settings& settings, const std::string& path) {
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& failure) {
    const auto line = failure.source().begin.line;
    const std::string reason(failure.description());
    return invalid(line == 0 ? fmt::format("config file {}: {}", path, reason)
                             : fmt::format("config file {}, line {}: {}", path, line, reason));
  }
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (find_option(name) == nullptr)
      return invalid(
          fmt::format("config file {}, line {}: unknown option '{}'", path, node.source().begin.line, name));
    auto text = text_of_node(node);
    const Status set = text.ok() ? set_option(settings, name, *text) : Status(text.error());
    if (set.ok()) continue;
    return invalid(fmt::format("config file {}, line {}: {}{}", path, node.source().begin.line,
                               text.ok() ? "" : fmt::format("option '{}' ", name), set.error().text));
  }
  return Ok{};
}

Status check_together(const Settings& settings) {
  if (settings.tls_cert.empty() != settings.tls_key.empty())
    return invalid("options 'tls-cert' and 'tls-key' belong together: one of them is missing");
  return Ok{};
}

}  // namespace

Result<Settings> make_settings(const std::string& config_path, std::span<const OptionValue> given) {
  Settings settings;
  for (const OptionRow& row : option_rows()) {
    const Status set = set_option(settings, row.name, row.default_text);
    CHECK(set.ok());  // the table's own defaults
  }
  if (!config_path.empty()) TRY(apply_file(settings, config_path));
  for (const OptionValue& value : given) TRY(set_option(settings, value.name, value.text));
  TRY(check_together(settings));
  return settings;
}

}  // namespace noren::server
