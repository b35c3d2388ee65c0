// What the routes about an API share: finding it, and showing it. Control thread; answers come from any
// thread.
#pragma once

#include <optional>

#include <boost/json.hpp>

#include "server/management/exchange.h"

namespace noren::server {

/// The API that the path names, for somebody who may do there what the route is for; else there is none.
Result<ApiRow> api_for(const ManagementParts& parts, const Exchange& exchange);

/// All that is known of it but its state, which only the data plane knows.
Result<boost::json::object> api_json(const ManagementParts& parts, const ApiRow& row);
/// The same of each row, in their order; the store is read once for all of them.
Result<std::vector<boost::json::object>> apis_json(const ManagementParts& parts,
                                                   const std::vector<ApiRow>& rows);
void add_state(boost::json::object& api, const ServingState& state);

/// Answers with one API, once its state is known.
void answer_with_state(const ManagementParts& parts, const ExchangePointer& exchange, int status,
                       boost::json::object api);

/// Applies the catalog, then answers with the API as it is now.
void apply_and_answer(const ManagementParts& parts, const ExchangePointer& exchange, const ApiRow& row);

/// A change with an Idempotency-Key that was answered before is answered the same again; with another
/// request the key is an error. keep_answer runs in the transaction of the change.
Result<std::optional<boost::json::object>> earlier_answer(const ManagementParts& parts,
                                                          const Exchange& exchange);
Status keep_answer(const ManagementParts& parts, const Exchange& exchange, const boost::json::object& answer);

/// As members of an answer.
void add_seconds(boost::json::object& object, const InstanceSeconds& seconds);

}  // namespace noren::server
