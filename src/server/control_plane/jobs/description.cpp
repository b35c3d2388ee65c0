// Reads the few facts that the server decides by out of an import's description.
#include <boost/json.hpp>

#include "base/limits.h"
#include "server/control_plane/jobs/jobs.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kReasonsCount = 16;

const json::value* member(const json::value& value, std::string_view name) {
  return value.is_object() ? value.get_object().if_contains(name) : nullptr;
}

}  // namespace

Result<DescriptionFacts> read_description(const std::string& description) {
  if (description.size() > limits::kDescriptionBytes) return internal("description: too large");
  json::parse_options options;
  options.max_depth = limits::kRequestJsonDepth;
  json::error_code failure;
  const json::value root = json::parse(description, failure, {}, options);
  if (failure) return internal("description: " + failure.message());
  const json::value* statistics = member(root, "statistics");
  const json::value* cost = statistics != nullptr ? member(*statistics, "CostParameter") : nullptr;
  DescriptionFacts facts;
  if (cost == nullptr) return internal("description: no CostParameter");
  facts.cost_parameter = cost->to_number<std::int64_t>(failure);
  if (failure || facts.cost_parameter < 0) return internal("description: bad CostParameter");
  const json::value* per_request = member(root, "per_request");
  const json::value* reasons = per_request != nullptr ? member(*per_request, "reasons") : nullptr;
  if (reasons == nullptr || !reasons->is_array()) return internal("description: no reasons");
  for (const json::value& reason : reasons->get_array()) {
    if (!reason.is_string() || facts.reasons.size() == kReasonsCount)
      return internal("description: bad reasons");
    std::string text(reason.get_string());
    if (!text.starts_with("CostParameter ")) facts.reasons.push_back(text.substr(0, limits::kDetailBytes));
  }
  return facts;
}

}  // namespace noren::server
