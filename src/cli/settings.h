// The settings of an API as the command line says them, for publish and update.
#pragma once

#include <boost/json.hpp>

#include "base/result.h"
#include "cli/session.h"

namespace noren::cli {

/// The members that the management API takes. Errors name the option.
Status add_settings(const SettingOptions& options, boost::json::object& body);

/// An API's own words made fit for a person: the windows of a schedule in one line.
std::string schedule_text(const boost::json::value& schedule);

/// A dedicated instance starts by itself; most are there within milliseconds, so it is worth a short wait.
void await_instance(const Session& session, boost::json::object& api);

}  // namespace noren::cli
