// noren publish --replace, noren versions, noren rollback: the model behind a URL.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const json::value* list = object.if_contains(name);
  if (list == nullptr || !list->is_array()) return texts;
  for (const json::value& each : list->get_array())
    if (each.is_string()) texts.emplace_back(each.get_string());
  return texts;
}

void show_switch(const json::object& api, Form form) {
  json::object shown;
  for (const char* name :
       {"id", "url", "type", "state", "state_reason", "project", "name", "version", "replaced"})
    if (const json::value* value = api.if_contains(name)) shown[name] = *value;
  print_api(shown, form);
  for (const std::string& change : texts_of(api, "changes")) remark("callers will notice: " + change);
  for (const std::string& label : texts_of(api, "dropped"))
    remark(fmt::format("version {} is not kept any longer", label));
}

}  // namespace

Status replace(const Session& session, const Common& common, const PublishOptions& options,
               const std::string& job_id) {
  json::object body{{"job", job_id}};
  if (options.accept_changes) body["accept_changes"] = true;
  const auto api = session.ask("POST", "apis/" + encoded(options.replace) + "/versions", body);
  if (!api.ok()) {
    // Nobody asked for the job by itself. The server forgets it after a while where this fails.
    if (options.job.empty()) static_cast<void>(session.ask("DELETE", "jobs/" + encoded(job_id)).ok());
    return api.error();
  }
  show_switch(*api, common.form);
  return Ok{};
}

Status versions(const Hooks& hooks, const Common& common, const IdOption& options) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  ASSIGN_OR_RETURN(const json::object answer,
                   session.ask("GET", "apis/" + encoded(options.id) + "/versions"));
  if (common.form == Form::kJson) {
    print_json(answer);
    return Ok{};
  }
  std::vector<std::vector<std::string>> rows = {{"VERSION", "PUBLISHED", "PROJECT", "NAME", "FILE", ""}};
  const json::value* list = answer.if_contains("versions");
  if (list == nullptr || !list->is_array()) return make_error(Code::kUnavailable, "the answer is no list");
  for (const json::value& each : list->get_array()) {
    if (!each.is_object()) continue;
    const json::object& version = each.get_object();
    const json::value* serves = version.if_contains("serves");
    const bool is_current = serves != nullptr && serves->is_bool() && serves->get_bool();
    rows.push_back({text_of(version, "version"), text_of(version, "published"), text_of(version, "project"),
                    text_of(version, "name"), text_of(version, "file_name"), is_current ? "serves" : ""});
  }
  print_table(rows);
  return Ok{};
}

Status roll_back(const Hooks& hooks, const Common& common, const RollbackOptions& options) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  json::object body;
  if (!options.version.empty()) body["version"] = options.version;
  ASSIGN_OR_RETURN(const json::object api,
                   session.ask("POST", "apis/" + encoded(options.id) + "/rollback", body));
  show_switch(api, common.form);
  return Ok{};
}

}  // namespace noren::cli
