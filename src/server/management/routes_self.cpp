#include <boost/json.hpp>

#include "server/management/exchange.h"

namespace noren::server {

void show_self(const ManagementParts&, const ExchangePointer& exchange) {
  const Principal& self = exchange->principal;
  exchange->answer(200, {{"user", self.name},
                         {"role", self.is_admin ? "admin" : "user"},
                         {"plan", self.plan == Plan::kPaid ? "paid" : "free"}});
}

}  // namespace noren::server
