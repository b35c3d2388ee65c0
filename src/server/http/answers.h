// The bodies that the server writes itself: refusals as the contract's JSON, everything else as plain text.
#pragma once

#include <string>
#include <string_view>

#include "server/data_plane/call.h"
#include "server/http/listener/exchange.h"

namespace noren::server {

/// Valid JSON text for any bytes: what is no UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

Answer refusal_answer(const Refused& refused, ExecutionType type, std::string_view request_id);
Answer text_answer(int status, std::string_view text);

}  // namespace noren::server
