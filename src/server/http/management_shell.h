// Forwards requests of the management API to its service, and the service's answer back.
#pragma once

#include "server/event_loop/event_loop.h"
#include "server/http/listener/exchange.h"
#include "server/management/management.h"

namespace noren::server {

struct ManagementShellParts {
  EventLoop& loop;
  ManagementService& service;
  BodyBudget& uploads;
};

RequestTask serve_management(Exchange& exchange, ManagementShellParts parts);

}  // namespace noren::server
