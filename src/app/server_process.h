// `noren serve`: every part of the server, made, connected, run and taken down again.
#pragma once

#include "base/result.h"
#include "server/config/settings.h"

namespace noren::app {

/// Until SIGTERM or SIGINT, and then until the requests under way are answered or their time is over.
Status run_server(const server::Settings& settings);

}  // namespace noren::app
