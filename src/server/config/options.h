// server/config/options.h - The options of `noren serve`: one row each, from which parsing, checks and help
// come. Called by the CLI and by app, on the main thread, at start. Reads the config file; opens nothing
// else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "server/config/settings.h"

namespace noren::server {

enum class OptionType : std::uint8_t {
  kText,
  kPath,
  kAddress,   ///< HOST:PORT, [IPV6]:PORT
  kUrl,       ///< http:// or https://
  kChoice,    ///< one of the row's words
  kSwitch,    ///< on or off
  kCount,     ///< a whole number
  kBytes,     ///< a whole number with B, KiB, MiB or GiB
  kDuration,  ///< a whole number with ms, s, m or h
};

struct OptionRow {
  std::string_view name;  ///< "memory-budget": --memory-budget and memory-budget = …
  OptionType type = OptionType::kText;
  std::string_view default_text;  ///< as one would write it
  std::string_view value_name;    ///< "HOST:PORT", for help
  std::int64_t least = 0;         ///< numbers: inclusive bounds, in the field's unit
  std::int64_t most = 0;
  std::string_view choices;  ///< "text|json"
  std::variant<std::string Settings::*, std::int64_t Settings::*, bool Settings::*> field;
  std::string_view help;  ///< one sentence, without the default
};

/// Every option but --config, which names the file that the others may stand in.
std::span<const OptionRow> option_rows();
/// Null where there is none.
const OptionRow* find_option(std::string_view name);

struct OptionValue {
  std::string name;
  std::string text;
};

/// Defaults, then the file (empty: none), then `given` (the command line). Errors name the option and what it
/// takes.
Result<Settings> make_settings(const std::string& config_path, std::span<const OptionValue> given);

/// Sets one option from text.
Status set_option(Settings& settings, std::string_view name, std::string_view text);

/// An address in its parts: "127.0.0.1:8080", "[::1]:0", ":8080" (all interfaces).
struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};
Result<HostAndPort> parse_host_and_port(std::string_view text);

}  // namespace noren::server
