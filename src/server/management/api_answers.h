// What the routes of one API share: finding it, and answering with it. Control thread.
#pragma once

#include <string>

#include <boost/json.hpp>

#include "server/management/exchange.h"

namespace noren::server {

/// The API that the path names, where the caller may see it.
Result<ApiRow> api_for(const ManagementParts& parts, const Exchange& exchange);

/// An API as answers show it, but for its state.
Result<boost::json::object> api_json(const ManagementParts& parts, const ApiRow& row);
/// Answers with one API, once its state is known.
void answer_with_state(const ManagementParts& parts, const ExchangePointer& exchange, int status,
                       boost::json::object api);

/// A text of a body; empty where it is not there.
Result<std::string> text_member(const boost::json::object& body, std::string_view name);
Status take_flag(const boost::json::object& body, std::string_view name, bool& flag);

}  // namespace noren::server
