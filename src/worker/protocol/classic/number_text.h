// worker/protocol/classic/number_text.h - Numbers as Python prints them: the text of every answer.
// Used by this room only. Any thread; never allocates.
#pragma once

#include <cstddef>

namespace noren::worker {

inline constexpr std::size_t kNumberTextBytes = 32;  ///< room that every number fits in

/// Writes repr(value) of Python's float: the shortest digits that give the same double again, ".0" behind
/// whole numbers, an exponent of at least two digits below 1e-4 and from 1e16, nan, inf, -inf. Returns the
/// end.
char* write_double(char* out, double value);

}  // namespace noren::worker
