// The settings of an API as the management API's JSON says them. Control thread.
#pragma once

#include <boost/json.hpp>

#include "server/control_plane/apis/apis.h"

namespace noren::server {

/// Reads the members that are there into `settings`; null puts one back to the server's own. Errors name the
/// member. Limits are checked by check_settings.
Status take_settings(const boost::json::object& body, ApiSettings& settings);

/// What only instances have is refused for an API without them, rather than kept unheard.
Status check_members_fit(const boost::json::object& body, ExecutionType type);

/// What is in effect, with the next start and stop of one that runs by a schedule.
void add_settings(boost::json::object& api, const PublishedApi& published, WallUs now_us);

/// A flag, a text; left alone where it is not there.
Status take_flag(const boost::json::object& body, std::string_view name, bool& flag);
Result<std::string> text_member(const boost::json::object& body, std::string_view name);

}  // namespace noren::server
