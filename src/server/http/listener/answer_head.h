// Writes the head of an answer by hand into a buffer that the connection keeps.
#pragma once

#include <string>

#include "base/clock.h"
#include "server/http/listener/exchange.h"

namespace noren::server {

/// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
class DateText {
 public:
  std::string_view at(WallUs time_us);

 private:
  std::int64_t second_ = -1;
  std::string text_;
};

enum class After : std::uint8_t { kKeepAlive, kKeepAliveOldClient, kClose };

struct AnswerHeadParts {
  std::string_view date;
  std::string_view request_id;
  std::string_view common_lines;  ///< CORS, where it is on
  After after = After::kKeepAlive;
};

/// Replaces what `out` holds.
void write_answer_head(std::string& out, const Answer& answer, const AnswerHeadParts& parts);

}  // namespace noren::server
