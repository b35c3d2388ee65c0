// base/log.h - Structured log lines on stderr: "time level event key=value …" or JSON.
// Any thread; one line is written whole. Never hand it a key, token, password or body (Secret does not
// convert).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace noren {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double> value;
  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, std::int64_t v) : name(n), value(v) {}
  LogField(std::string_view n, std::uint64_t v) : name(n), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view n, int v) : name(n), value(std::int64_t{v}) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
};

/// Sets the least level that is written and the form. Called once at start.
void configure_log(LogLevel least, LogFormat format);

/// Values are escaped; a line is cut at limits::kLogLineBytes.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace noren
