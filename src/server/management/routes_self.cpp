#include <boost/json.hpp>

#include "server/management/exchange.h"

namespace noren::server {

void show_self(const ManagementParts& parts, const ExchangePointer& exchange) {
  const Principal& self = exchange->principal;
  boost::json::object capabilities{{"gpu", parts.rules.gpu_unavailable_reason.empty()}};
  if (!parts.rules.gpu_unavailable_reason.empty())
    capabilities["gpu_unavailable_reason"] = parts.rules.gpu_unavailable_reason;
  exchange->answer(200, {{"user", self.name},
                         {"role", self.is_admin ? "admin" : "user"},
                         {"plan", self.plan == Plan::kPaid ? "paid" : "free"},
                         {"capabilities", std::move(capabilities)}});
}

}  // namespace noren::server
