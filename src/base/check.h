// base/check.h - CHECK: a programmer error stops the program, in release builds too.
// Anyone may call it, on any thread. Never use it on input: bad input is a Result, not a CHECK.
#pragma once

namespace noren {

/// Prints the place and the condition to stderr and aborts. Allocates nothing.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace noren

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::noren::check_failed(#condition, __FILE__, __LINE__))
