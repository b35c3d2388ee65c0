#include "server/http/routes.h"

namespace noren::server {
namespace {

struct InferencePath {
  ExecutionType type;
  std::string_view head;
  std::string_view pattern;
};
constexpr InferencePath kInferencePaths[] = {
    {ExecutionType::kPerRequest, "/v1/serverless/classifiers/", "/v1/serverless/classifiers/{id}/inference"},
    {ExecutionType::kDedicated, "/v1/classifiers/", "/v1/classifiers/{id}/inference"},
};
constexpr std::string_view kInferenceTail = "/inference";
constexpr std::string_view kManagementHead = "/v1/management/";

}  // namespace

Route route_of(std::string_view path) {
  for (const InferencePath& known : kInferencePaths) {
    if (!path.starts_with(known.head)) continue;
    const std::string_view rest = path.substr(known.head.size());
    if (!rest.ends_with(kInferenceTail)) return NoRoute{};
    const std::string_view id = rest.substr(0, rest.size() - kInferenceTail.size());
    // Whatever stands where the id does is an id that may not exist: it is told like one.
    if (id.empty() || id.find('/') != std::string_view::npos) return NoRoute{};
    return InferenceRoute{known.type, id};
  }
  if (path.starts_with(kManagementHead)) return ManagementRoute{};
  if (path == "/healthz") return HealthRoute{};
  if (path == "/readyz") return ReadyRoute{};
  return NoRoute{};
}

std::string_view inference_path_pattern(ExecutionType type) {
  for (const InferencePath& known : kInferencePaths)
    if (known.type == type) return known.pattern;
  return {};
}

}  // namespace noren::server
