#include "domain/refusal.h"

#include <array>

#include "base/check.h"

namespace noren {
namespace {

constexpr std::array<RefusalRow, 9> kRows = {{
    {Refusal::kInvalidKey, 403, "4031", "0301", "ACCESS_DENIED", "Invalid API key"},
    {Refusal::kQuotaUsedUp, 403, "4031", "0302", "ACCESS_DENIED", "Can not publish api"},
    {Refusal::kSourceNotAllowed, 403, "4031", "0303", "ACCESS_DENIED", "Not allowed source ip"},
    {Refusal::kInvalidRequest, 400, "4001", "0104", "BAD_REQUEST", "Invalid request"},
    {Refusal::kBodyTooLarge, 413, "4131", "0101", "PAYLOAD_TOO_LARGE", "Request body is too large"},
    {Refusal::kTooManyRequests, 429, "4291", "0101", "TOO_MANY_REQUESTS", "Too many requests"},
    {Refusal::kInternal, 500, "5001", "0101", "INTERNAL_SERVER_ERROR", "Internal server error"},
    {Refusal::kNotRunning, 503, "5031", "0101", "SERVICE_UNAVAILABLE_ERROR",
     "status is not running (status: "},
    {Refusal::kTimeout, 504, "5041", "0101", "TIMEOUT", "Inference did not finish in time"},
}};

}  // namespace

const RefusalRow& refusal_row(Refusal refusal) {
  const RefusalRow& row = kRows[static_cast<std::size_t>(refusal)];
  CHECK(row.refusal == refusal);
  return row;
}

std::string refusal_code(const RefusalRow& row, ExecutionType type) {
  std::string code(row.head);
  code += type == ExecutionType::kPerRequest ? "02" : "03";
  code += row.tail;
  return code;
}

}  // namespace noren
