#include "server/http/listener/answer_head.h"

#include <charconv>
#include <ctime>

namespace noren::server {
namespace {

struct StatusLine {
  int status;
  std::string_view line;
};

constexpr StatusLine kStatusLines[] = {
    {200, "HTTP/1.1 200 OK\r\n"},
    {201, "HTTP/1.1 201 Created\r\n"},
    {202, "HTTP/1.1 202 Accepted\r\n"},
    {204, "HTTP/1.1 204 No Content\r\n"},
    {304, "HTTP/1.1 304 Not Modified\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {401, "HTTP/1.1 401 Unauthorized\r\n"},
    {403, "HTTP/1.1 403 Forbidden\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {409, "HTTP/1.1 409 Conflict\r\n"},
    {411, "HTTP/1.1 411 Length Required\r\n"},
    {412, "HTTP/1.1 412 Precondition Failed\r\n"},
    {413, "HTTP/1.1 413 Payload Too Large\r\n"},
    {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    {422, "HTTP/1.1 422 Unprocessable Content\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n"},
    {501, "HTTP/1.1 501 Not Implemented\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {504, "HTTP/1.1 504 Gateway Timeout\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    {507, "HTTP/1.1 507 Insufficient Storage\r\n"},
};

void append_number(std::string& out, std::uint64_t number) {
  char text[20];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  static_cast<void>(error);
  out.append(text, end);
}

void append_status_line(std::string& out, int status) {
  for (const StatusLine& known : kStatusLines) {
    if (known.status != status) continue;
    out.append(known.line);
    return;
  }
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(status));
  out.append(" \r\n");
}

}  // namespace

std::string_view DateText::at(WallUs time_us) {
  const std::int64_t second = time_us / 1'000'000;
  if (second == second_) return text_;
  second_ = second;
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = second;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon],
                                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  text_.assign(text, static_cast<std::size_t>(size));
  return text_;
}

void write_answer_head(std::string& out, const Answer& answer, const AnswerHeadParts& parts) {
  out.clear();
  append_status_line(out, answer.status);
  out.append("Date: ").append(parts.date);
  if (!answer.content_type.empty()) out.append("\r\nContent-Type: ").append(answer.content_type);
  out.append("\r\nx-request-id: ").append(parts.request_id);
  if (answer.status != 204) {
    out.append("\r\nContent-Length: ");
    append_number(out, answer.body.size());
  }
  out.append("\r\n");
  if (parts.after == After::kClose) out.append("Connection: close\r\n");
  if (parts.after == After::kKeepAliveOldClient) out.append("Connection: keep-alive\r\n");
  out.append(parts.common_lines).append(answer.header_lines).append("\r\n");
}

}  // namespace noren::server
