#include "server/http/answers.h"

#include "domain/refusal.h"

namespace noren::server {
namespace {

/// Length of the well-formed UTF-8 sequence that `text` begins with; 0 where it begins with none (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out += '"';
}

Answer refusal_answer(const Refused& refused, ExecutionType type, std::string_view request_id) {
  const RefusalRow& row = refusal_row(refused.refusal);
  Answer answer;
  answer.status = row.status;
  std::string& body = answer.body;
  body.reserve(192 + refused.detail.size());
  body.append("{\"code\":\"").append(refusal_code(row, type));
  body.append("\",\"error\":\"").append(row.error);
  body.append("\",\"message\":\"").append(row.message);
  if (refused.refusal == Refusal::kNotRunning) body.append(instance_state_word(refused.state)).append(")");
  body.append("\",\"data\":{\"request_id\":\"").append(request_id).append("\"");
  if (!refused.detail.empty()) {
    body.append(",\"detail\":");
    append_json_string(body, refused.detail);
  }
  if (refused.next_start_us != 0)
    body.append(",\"next_start\":\"").append(format_utc(refused.next_start_us)).append("\"");
  body.append("}}");
  if (refused.retry_after_s > 0)
    answer.header_lines = "Retry-After: " + std::to_string(refused.retry_after_s) + "\r\n";
  return answer;
}

Answer text_answer(int status, std::string_view text) {
  Answer answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body.append(text).append("\n");
  return answer;
}

}  // namespace noren::server
