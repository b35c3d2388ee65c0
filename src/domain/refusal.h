// domain/refusal.h - The refusals of the inference API as a table: code, error word and the exact message.
// Read by the data plane (which one) and the HTTP room (how it is written). Plain data, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/catalog.h"

namespace noren {

enum class Refusal : std::uint8_t {
  kInvalidKey,        ///< no key, a wrong or revoked one, or an id that does not exist: no difference
  kQuotaUsedUp,       ///< the free requests are used up, without a paid plan
  kSourceNotAllowed,  ///< the API has an allow list and the caller is not on it
  kInvalidRequest,    ///< the body is not what the model takes
  kBodyTooLarge,
  kTooManyRequests,  ///< a rate or a queue is full
  kInternal,         ///< the worker died, twice
  kNotRunning,       ///< OFF, outside its schedule, still starting
  kTimeout,
};

struct RefusalRow {
  Refusal refusal;
  int status;             ///< also the first three digits of the code
  std::string_view head;  ///< digits one to four
  std::string_view tail;  ///< digits seven to ten; the type stands between
  std::string_view error;
  std::string_view message;  ///< callers compare it; kNotRunning's ends with the state
};

const RefusalRow& refusal_row(Refusal refusal);

/// "4031020301": digits five and six are 02 for per request, 03 for dedicated.
std::string refusal_code(const RefusalRow& row, ExecutionType type);

}  // namespace noren
