// The table of routes and the one way through it: credentials, route, permission, handler.
#include <algorithm>
#include <string_view>

#include "base/limits.h"
#include "base/log.h"
#include "server/management/exchange.h"

namespace noren::server {
namespace {

constexpr Route kRoutes[] = {
    {"GET", "/v1/management/me", Permission::kSelf, show_self},
    {"POST", "/v1/management/jobs", Permission::kWriteJobs, create_job},
    {"GET", "/v1/management/jobs", Permission::kReadJobs, list_jobs},
    {"GET", "/v1/management/jobs/{id}", Permission::kReadJobs, show_job},
    {"DELETE", "/v1/management/jobs/{id}", Permission::kWriteJobs, delete_job},
    {"GET", "/v1/management/jobs/{id}/curves", Permission::kReadJobs, show_curves},
    {"GET", "/v1/management/jobs/{id}/evaluation", Permission::kReadJobs, show_evaluation},
    {"GET", "/v1/management/jobs/{id}/confusion", Permission::kReadJobs, show_confusion},
    {"GET", "/v1/management/jobs/{id}/files", Permission::kReadJobs, list_job_files},
    {"GET", "/v1/management/jobs/{id}/files/{name}", Permission::kReadJobs, load_job_file},
    {"POST", "/v1/management/imports", Permission::kWriteJobs, create_import},
    {"GET", "/v1/management/projects", Permission::kReadJobs, list_projects},
    {"DELETE", "/v1/management/projects/{name}", Permission::kWriteJobs, delete_project},
    {"POST", "/v1/management/apis", Permission::kWriteApis, create_api},
    {"GET", "/v1/management/apis", Permission::kReadApis, list_apis},
    {"GET", "/v1/management/apis/{id}", Permission::kReadApis, show_api},
    {"PATCH", "/v1/management/apis/{id}", Permission::kWriteApis, change_api},
    {"DELETE", "/v1/management/apis/{id}", Permission::kWriteApis, delete_api},
    {"GET", "/v1/management/apis/{id}/keys", Permission::kReadKeys, list_keys},
    {"GET", "/v1/management/apis/{id}/versions", Permission::kReadApis, list_versions},
    {"POST", "/v1/management/apis/{id}/versions", Permission::kWriteApis, replace_version},
    {"POST", "/v1/management/apis/{id}/rollback", Permission::kWriteApis, roll_back},
    {"GET", "/v1/management/apis/{id}/usage", Permission::kReadUsage, list_usage},
};

std::string_view take_segment(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return segment;
}

bool matches(std::string_view pattern, std::string_view path, std::map<std::string, std::string>& found) {
  if (std::count(pattern.begin(), pattern.end(), '/') != std::count(path.begin(), path.end(), '/'))
    return false;
  while (!pattern.empty() || !path.empty()) {
    const std::string_view wanted = take_segment(pattern), given = take_segment(path);
    if (wanted.starts_with('{') && !given.empty())
      found[std::string(wanted.substr(1, wanted.size() - 2))] = given;
    else if (wanted != given)
      return false;
  }
  return true;
}

class Service final : public ManagementService {
 public:
  explicit Service(const ManagementParts& parts) : parts_(parts) {}

  void check_head(const ManagementRequest& head, std::function<void(HeadVerdict)> reply) override {
    ManagementRequest copy;  // the head itself goes with its caller
    copy.method = head.method;
    copy.path = head.path;
    copy.bearer_token = head.bearer_token;
    copy.request_id = head.request_id;
    const auto receive = [this, reply](const Route& route, const ExchangePointer& exchange) {
      // Files go to these two alone; the others take JSON.
      const bool is_import = route.handler == create_job || route.handler == create_import;
      if (!is_import) return reply({limits::kBodyInlineBytes, std::nullopt});
      const Status room = parts_.jobs.room_for_import(exchange->principal.owner_id);
      if (!room.ok()) return exchange->fail(room.error());
      reply({limits::kModelFileBytes, std::nullopt});
    };
    const auto refuse = [reply](ManagementResponse refusal) { reply({0, std::move(refusal)}); };
    take(std::move(copy), refuse, receive);
  }

  void handle(ManagementRequest request, std::function<void(ManagementResponse)> reply) override {
    take(std::move(request), std::move(reply),
         [this](const Route& route, const ExchangePointer& exchange) { route.handler(parts_, exchange); });
  }

 private:
  using Admitted = std::function<void(const Route& route, const ExchangePointer& exchange)>;

  void take(ManagementRequest request, std::function<void(ManagementResponse)> reply, Admitted admitted) {
    if (parts_.control.waiting_count() >= limits::kManagementQueueCount) {
      reply(problem(make_error(Code::kExhausted, "too many management requests are waiting"),
                    request.request_id));
      return;
    }
    auto exchange = std::make_shared<Exchange>();
    exchange->request = std::move(request);
    exchange->reply = std::move(reply);
    parts_.control.post([this, exchange, admitted = std::move(admitted)] { run(exchange, admitted); });
  }

  /// Credentials come before everything, so that without them no path can be told from another.
  void run(const ExchangePointer& exchange, const Admitted& admitted) const {
    auto principal = parts_.accounts.authenticate(exchange->request.bearer_token);
    if (!principal.ok()) return exchange->fail(principal.error());
    exchange->principal = std::move(*principal);
    exchange->request.bearer_token = Secret();
    const Route* route = nullptr;
    bool path_is_known = false;
    for (const Route& each : kRoutes) {
      std::map<std::string, std::string> found;
      if (!matches(each.path, exchange->request.path, found)) continue;
      path_is_known = true;
      if (exchange->request.method != each.method) continue;
      route = &each;
      exchange->path = std::move(found);
    }
    if (route == nullptr) return refuse_path(*exchange, path_is_known);
    exchange->permission = route->permission;
    if (!may(exchange->principal, route->permission, ""))
      return exchange->fail(
          make_error(Code::kPermissionDenied, "this needs a permission that you don't have"));
    admitted(*route, exchange);
  }

  static void refuse_path(const Exchange& exchange, bool path_is_known) {
    if (!path_is_known)
      return exchange.fail(make_error(Code::kNotFound, "the management API has no such path"));
    ManagementResponse response =
        problem(invalid("this path does not take " + exchange.request.method), exchange.request.request_id);
    response.status = 405;
    std::string allowed;
    for (const Route& each : kRoutes) {
      std::map<std::string, std::string> found;
      if (!matches(each.path, exchange.request.path, found)) continue;
      allowed += (allowed.empty() ? "" : ", ") + std::string(each.method);
    }
    response.headers.emplace_back("allow", allowed);
    exchange.reply(std::move(response));
  }

  ManagementParts parts_;
};

}  // namespace

std::vector<RouteInfo> management_routes() {
  std::vector<RouteInfo> all;
  for (const Route& route : kRoutes) all.push_back({route.method, route.path, route.permission});
  return all;
}

std::unique_ptr<ManagementService> make_management_service(const ManagementParts& parts) {
  return std::make_unique<Service>(parts);
}

void apply_catalog(TaskThread& control, Apis& apis, Serving& serving, std::function<void(Status)> done) {
  auto catalog = apis.build_catalog();
  if (!catalog.ok()) {
    log(LogLevel::kError, "catalog.not_built", {{"error", describe(catalog.error())}});
    return done(catalog.error());
  }
  serving.apply(*catalog, [&control, done = std::move(done)] { control.post([done] { done(Ok{}); }); });
}

}  // namespace noren::server
