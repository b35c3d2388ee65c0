// Words and numbers of foreign text files, and their JSON. Private to this folder. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

namespace noren::worker::results {

/// Without blanks, tabs and carriage returns at both ends.
std::string_view trimmed(std::string_view text);
/// Takes the next line off the front, without its line end.
std::string_view take_line(std::string_view& text);
/// Without the mark that some editors put in front of UTF-8.
std::string_view without_byte_order_mark(std::string_view text);

/// Bytes that are no UTF-8 become U+FFFD, control characters a blank, and it is cut at the limit.
std::string clean_text(std::string_view text, std::size_t limit_bytes);

/// A whole number that is not negative.
std::optional<std::int64_t> parse_count(std::string_view text);
/// A number as Python, YAML or C write it: 1e-05, nan, .inf, -inf.
std::optional<double> parse_number(std::string_view text);
/// True where the text is a number in JSON as it stands, and a finite one.
bool is_json_number(std::string_view text);

/// What JSON can't write becomes "nan", "inf", "-inf".
boost::json::value number_json(double number);

}  // namespace noren::worker::results
