// One request on its way through the management API: what was asked, by whom, and the one answer. Control
// thread only, but for reply, which may come from anywhere.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/json/fwd.hpp>

#include "server/management/service.h"

namespace noren::server {

struct Exchange {
  ManagementRequest request;
  Principal principal;
  Permission permission = Permission::kSelf;
  std::map<std::string, std::string> path;  ///< "id" -> what stood in its place
  std::function<void(ManagementResponse)> reply;

  void answer(int status, const boost::json::object& body) const;
  void fail(const Error& error) const;
  /// Nobody waits for the answer any more: what takes long ends before it changes the store.
  bool is_given_up() const { return request.hang_up != nullptr && request.hang_up->is_told(); }
};

/// What such an exchange fails with; nobody reads it.
Error hung_up();
using ExchangePointer = std::shared_ptr<Exchange>;

using Handler = void (*)(const ManagementParts& parts, const ExchangePointer& exchange);

struct Route {
  const char* method;
  const char* path;
  Permission permission;
  Handler handler;
};

// Handlers; the table is in routes.cpp.
void show_self(const ManagementParts& parts, const ExchangePointer& exchange);
void create_job(const ManagementParts& parts, const ExchangePointer& exchange);
void list_jobs(const ManagementParts& parts, const ExchangePointer& exchange);
void show_job(const ManagementParts& parts, const ExchangePointer& exchange);
void delete_job(const ManagementParts& parts, const ExchangePointer& exchange);
void create_import(const ManagementParts& parts, const ExchangePointer& exchange);
void show_curves(const ManagementParts& parts, const ExchangePointer& exchange);
void show_evaluation(const ManagementParts& parts, const ExchangePointer& exchange);
void show_confusion(const ManagementParts& parts, const ExchangePointer& exchange);
void list_job_files(const ManagementParts& parts, const ExchangePointer& exchange);
void load_job_file(const ManagementParts& parts, const ExchangePointer& exchange);
void list_projects(const ManagementParts& parts, const ExchangePointer& exchange);
void delete_project(const ManagementParts& parts, const ExchangePointer& exchange);
void create_api(const ManagementParts& parts, const ExchangePointer& exchange);
void list_apis(const ManagementParts& parts, const ExchangePointer& exchange);
void show_api(const ManagementParts& parts, const ExchangePointer& exchange);
void change_api(const ManagementParts& parts, const ExchangePointer& exchange);
void delete_api(const ManagementParts& parts, const ExchangePointer& exchange);
void list_keys(const ManagementParts& parts, const ExchangePointer& exchange);
void list_versions(const ManagementParts& parts, const ExchangePointer& exchange);
void replace_version(const ManagementParts& parts, const ExchangePointer& exchange);
void roll_back(const ManagementParts& parts, const ExchangePointer& exchange);
void list_usage(const ManagementParts& parts, const ExchangePointer& exchange);

/// Names and values of a query, decoded; names may repeat. kInvalidArgument for one that is not in `known` or
/// is badly encoded.
using Query = std::multimap<std::string, std::string>;
Result<Query> parse_query(const std::string& text, std::initializer_list<std::string_view> known);
std::string query_value(const Query& query, const std::string& name, const std::string& standard);
/// limit and before of a list.
Result<Page> page_of(const Query& query);

/// A whole number of the query between two bounds.
Result<std::int64_t> query_number(const Query& query, const std::string& name, std::int64_t standard,
                                  std::int64_t least, std::int64_t most);

/// What the handlers of jobs share (routes_jobs.cpp).
boost::json::object job_json(const JobRecord& job);
Result<JobRecord> job_for(const ManagementParts& parts, const Exchange& exchange);
/// `begin` is called when it is this import's turn; where whoever asked hangs up before, it never is.
void import_in_turn(const ManagementParts& parts, const ExchangePointer& exchange,
                    std::function<void()> begin);
Result<UniqueFd> upload_of(ManagementRequest& request);
std::string name_of_file(const std::string& file_name);
/// Every "input" of the query; kInvalidArgument where they are too many.
Result<std::vector<std::string>> input_rules_of(const Query& query);

/// The body as a JSON object whose members are all in `known`.
Result<boost::json::object> json_body(const ManagementRequest& request,
                                      std::initializer_list<std::string_view> known);

AuditRecord audit_of(const Exchange& exchange, WallUs at_us, std::string action, std::string target,
                     std::string detail = {});

}  // namespace noren::server
