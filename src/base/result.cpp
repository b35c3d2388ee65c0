#include "base/result.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace noren {

std::string_view code_name(Code code) {
  static constexpr std::array<std::string_view, 13> kNames = {
      "invalid_argument",    "not_found", "already_exists", "permission_denied", "unauthenticated",
      "failed_precondition", "too_large", "exhausted",      "deadline_exceeded", "unavailable",
      "unsupported",         "corrupt",   "internal"};
  const auto index = static_cast<std::size_t>(code);
  CHECK(index < kNames.size());
  return kNames[index];
}

std::string describe(const Error& error) {
  std::string text(code_name(error.code));
  text += ": ";
  text += error.text;
  if (!error.detail.empty()) text += " (" + error.detail + ")";
  return text;
}

Error system_error(Code code, std::string text, std::string_view what) {
  const int number = errno;
  return make_error(code, std::move(text),
                    std::string(what) + ": " + std::generic_category().message(number));
}

}  // namespace noren
