#include "base/log.h"

#include <atomic>

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

namespace noren {
namespace {

std::atomic<LogLevel> g_least{LogLevel::kInfo};
std::atomic<LogFormat> g_format{LogFormat::kText};

constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error"};

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\u{:04x}", byte);
    } else {
      line += c;
    }
  }
  line += '"';
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
  return true;
}

void append_value(std::string& line, const LogField& field, LogFormat format) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    const std::string_view cut = text->substr(0, limits::kLogLineBytes / 2);
    if (format == LogFormat::kText && is_plain(cut))
      line += cut;
    else
      append_quoted(line, cut);
  } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    line += fmt::format("{}", *integer);
  } else {
    line += fmt::format("{}", std::get<double>(field.value));
  }
}

}  // namespace

void configure_log(LogLevel least, LogFormat format) {
  g_least = least;
  g_format = format;
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (level < g_least.load(std::memory_order_relaxed)) return;
  const LogFormat format = g_format.load(std::memory_order_relaxed);
  const std::string time = format_utc(system_clock().wall_us());
  const std::string_view name = kLevelNames[static_cast<int>(level)];
  std::string line = format == LogFormat::kJson
                         ? fmt::format(R"({{"time":"{}","level":"{}","event":"{}")", time, name, event)
                         : fmt::format("{} {} {}", time, name, event);
  for (const LogField& field : fields) {
    if (line.size() > limits::kLogLineBytes) break;
    line +=
        format == LogFormat::kJson ? fmt::format(",\"{}\":", field.name) : fmt::format(" {}=", field.name);
    append_value(line, field, format);
  }
  line += format == LogFormat::kJson ? "}\n" : "\n";
  // One write call keeps lines of several threads and processes apart. A log that can't be written is lost:
  // there is nowhere left to say so.
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

}  // namespace noren
