// base/result.h - Result<T>: a value, or an Error that says what went wrong.
// The one error type of the tree. Anyone may use it, on any thread. Functions that can fail for reasons
// outside the program return it; programmer errors use CHECK. Exceptions of libraries are caught where they
// are thrown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace noren {

/// What kind of failure it is, free of any protocol. One table maps these to HTTP, one to exit codes.
enum class Code : std::uint8_t {
  kInvalidArgument,     ///< the caller's input is not what is asked for
  kNotFound,            ///< what is named does not exist
  kAlreadyExists,       ///< it is there already (an id, a data folder in use)
  kPermissionDenied,    ///< known caller, not allowed
  kUnauthenticated,     ///< no or wrong credentials
  kFailedPrecondition,  ///< right in itself, wrong in this state (not eligible, not running)
  kTooLarge,            ///< over a named limit of size
  kExhausted,           ///< over a quota or a rate, or a queue is full: try again later
  kDeadlineExceeded,    ///< did not finish in time; the work has stopped
  kUnavailable,         ///< a part that is needed is not there right now: try again
  kUnsupported,         ///< known, and deliberately not done
  kCorrupt,             ///< stored or received bytes are damaged
  kInternal,            ///< our own fault
};

/// Stable lower-case name of a code, for logs and JSON ("not_found").
std::string_view code_name(Code code);

/// A failure. `text` is for the person who caused or reads it and names place and reason; `detail` is for the
/// operator's log and never leaves the process that made it except into that log.
struct Error {
  Code code = Code::kInternal;
  std::string text;
  std::string detail;
};

/// "not_found: no api 'x' (detail)", for logs.
std::string describe(const Error& error);

struct [[nodiscard]] Ok {};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: a value is a result
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: so is an error

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  /// Requires ok().
  T& value() & {
    CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// Requires !ok().
  const Error& error() const& {
    CHECK(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    CHECK(!ok());
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

/// A result without a value.
using Status = Result<Ok>;

inline Error make_error(Code code, std::string text, std::string detail = {}) {
  return Error{code, std::move(text), std::move(detail)};
}
inline Error invalid(std::string text) { return make_error(Code::kInvalidArgument, std::move(text)); }
inline Error unsupported(std::string text) { return make_error(Code::kUnsupported, std::move(text)); }
inline Error internal(std::string detail) {
  return make_error(Code::kInternal, "internal error", std::move(detail));
}

/// The error that the last failed system call set, as detail; `what` names the call and its object.
Error system_error(Code code, std::string text, std::string_view what);

}  // namespace noren

#define NOREN_CONCAT_(a, b) a##b
#define NOREN_CONCAT(a, b) NOREN_CONCAT_(a, b)

/// TRY(call()): leaves the function with the error of a Status or Result, drops the value.
#define TRY(...) TRY_IMPL_(NOREN_CONCAT(try_result_, __COUNTER__), (__VA_ARGS__))
#define TRY_IMPL_(temporary, expression) \
  do { \
    auto temporary = expression; \
    if (!temporary.ok()) return std::move(temporary).error(); \
  } while (false)

/// ASSIGN_OR_RETURN(auto x, call()): x is the value, or the function returns the error.
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_IMPL_(NOREN_CONCAT(result_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_IMPL_(temporary, declaration, expression) \
  auto temporary = (expression); \
  if (!temporary.ok()) return std::move(temporary).error(); \
  declaration = std::move(temporary).value()
