// server/management/service.h - The management service: authorises, routes and answers, on the control
// thread. Made by app from the control plane's parts, which must outlive it. handle() may be called on any
// thread; the answer comes from any thread. Uploads are imported by a worker and written by the files thread,
// so that nothing large waits in line.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "domain/access.h"
#include "server/control_plane/accounts/accounts.h"
#include "server/control_plane/apis/apis.h"
#include "server/control_plane/apis/versions.h"
#include "server/control_plane/jobs/jobs.h"
#include "server/control_plane/serving.h"
#include "server/control_plane/task_thread.h"
#include "server/control_plane/usage/usage.h"
#include "server/keyring/keyring.h"
#include "server/management/management.h"
#include "server/store/store.h"

namespace noren::server {

struct ManagementParts {
  TaskThread& control;
  TaskThread& files;
  Store& store;
  const Keyring& keyring;
  Accounts& accounts;
  Jobs& jobs;
  Apis& apis;
  Versions& versions;
  Usage& usage;
  Serving& serving;
  const Clock& clock;
  ApiRules rules;
  /// Base of the URLs that are handed out, without a trailing slash. Called on the control thread.
  std::function<std::string()> public_url;
};

std::unique_ptr<ManagementService> make_management_service(const ManagementParts& parts);

/// Builds the catalog and applies it; `done` comes on the control thread when the data plane has it, or with
/// the reason why not. Call on the control thread.
void apply_catalog(TaskThread& control, Apis& apis, Serving& serving, std::function<void(Status)> done);

/// One row of the table of routes, for tests and for the check against api/management.yaml.
struct RouteInfo {
  std::string method;
  std::string path;  ///< "/v1/management/apis/{id}"
  Permission permission = Permission::kSelf;
};
std::vector<RouteInfo> management_routes();

/// The HTTP status of an error; the one table for the management API.
int http_status_of(Code code);

}  // namespace noren::server
