// worker/protocol/classic/json.h - What the request's readers share of simdjson: errors, strings, strict
// numbers. Used by this room only, on the worker's one thread. Strings and keys are looked at raw: simdjson's
// own string buffer holds each only once, and a request's objects may be read twice.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace noren::worker {

namespace json = simdjson::ondemand;

/// "the body is not valid JSON", with what is known of the reason.
Error json_error(simdjson::error_code code);

/// A raw string's text between its quotes, escapes still in it.
std::string_view raw_text(json::raw_json_string raw);

/// A string with its escapes resolved.
Result<std::string> plain_text(const json::parser& parser, json::raw_json_string raw);

/// True where the (raw) key is this name; an escaped key is compared unescaped.
bool is_key(const json::parser& parser, json::raw_json_string raw, std::string_view name);

/// A number as JSON writes it, as the nearest double; infinity where it is too large for one, as Python reads
/// it. Nothing where the text is no such number. (simdjson 3.0 gets long fractions wrong:
/// 0.5000000000000000000000.)
std::optional<double> double_of(std::string_view text);

/// A value that is a number. It is looked at, not consumed.
Result<double> read_double(json::value& value);

/// The token's text without the white space behind it.
std::string_view token_text(json::value& value);

/// Goes through a value that nobody asked for, so that no broken JSON hides in it. `depth` is the value's
/// own.
Status check_unused(json::value value, std::size_t depth);

/// An error where lists and objects are nested deeper than the limit.
Status check_depth(std::size_t depth);

}  // namespace noren::worker
