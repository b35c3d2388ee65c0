#include "domain/refusal.h"

#include <gtest/gtest.h>

namespace noren {
namespace {

TEST(Refusal, IsTheContractsTable) {
  const struct {
    Refusal refusal;
    const char* per_request;
    const char* dedicated;
    const char* error;
    const char* message;
  } kTable[] = {
      {Refusal::kInvalidKey, "4031020301", "4031030301", "ACCESS_DENIED", "Invalid API key"},
      {Refusal::kQuotaUsedUp, "4031020302", "4031030302", "ACCESS_DENIED", "Can not publish api"},
      {Refusal::kSourceNotAllowed, "4031020303", "4031030303", "ACCESS_DENIED", "Not allowed source ip"},
      {Refusal::kInvalidRequest, "4001020104", "4001030104", "BAD_REQUEST", "Invalid request"},
      {Refusal::kBodyTooLarge, "4131020101", "4131030101", "PAYLOAD_TOO_LARGE", "Request body is too large"},
      {Refusal::kTooManyRequests, "4291020101", "4291030101", "TOO_MANY_REQUESTS", "Too many requests"},
      {Refusal::kInternal, "5001020101", "5001030101", "INTERNAL_SERVER_ERROR", "Internal server error"},
      {Refusal::kNotRunning, "5031020101", "5031030101", "SERVICE_UNAVAILABLE_ERROR",
       "status is not running (status: "},
      {Refusal::kTimeout, "5041020101", "5041030101", "TIMEOUT", "Inference did not finish in time"},
  };
  for (const auto& line : kTable) {
    const RefusalRow& row = refusal_row(line.refusal);
    EXPECT_EQ(refusal_code(row, ExecutionType::kPerRequest), line.per_request);
    EXPECT_EQ(refusal_code(row, ExecutionType::kDedicated), line.dedicated);
    EXPECT_EQ(std::to_string(row.status), std::string(line.per_request, 3));
    EXPECT_EQ(row.error, line.error);
    EXPECT_EQ(row.message, line.message);
  }
}

}  // namespace
}  // namespace noren
