// worker/protocol/classic/caller_text.h - Texts that a caller sent, made fit for an error message, and cut in
// UTF-8. Used by this room only. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace noren::worker {

/// At most `limit_bytes` of the text, cut between characters; "…" at the end where something was cut.
std::string cut_text(std::string_view text, std::size_t limit_bytes);

/// 'text' for a message: valid UTF-8, no control characters, cut to a few words.
std::string quote(std::string_view text);

/// Appends a JSON string with its quotes: raw UTF-8, escapes only where JSON asks for them, U+FFFD for broken
/// bytes.
void append_json_string(std::string& out, std::string_view text);

}  // namespace noren::worker
