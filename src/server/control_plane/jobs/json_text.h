// server/control_plane/jobs/json_text.h - Whether a text is JSON. Private to jobs. Pure.
#pragma once

#include <string_view>

namespace noren::server {

/// Whether the whole text is one JSON object, nested no deeper than 32. Takes no memory that grows with the
/// text: a tree of it would be many times as large.
bool is_json_object(std::string_view text);

}  // namespace noren::server
