// Which of our paths a request names. Pure text.
#pragma once

#include <string_view>
#include <variant>

#include "domain/catalog.h"

namespace noren::server {

struct InferenceRoute {
  ExecutionType type = ExecutionType::kPerRequest;
  std::string_view api_id;
};
struct HealthRoute {};
struct ReadyRoute {};
struct ManagementRoute {};
struct NoRoute {};
using Route = std::variant<NoRoute, InferenceRoute, HealthRoute, ReadyRoute, ManagementRoute>;

Route route_of(std::string_view path);

/// "/v1/serverless/classifiers/{id}/inference", as it is told to people.
std::string_view inference_path_pattern(ExecutionType type);

}  // namespace noren::server
