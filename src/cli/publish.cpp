// noren publish: upload a model, publish it, and wait a moment until a dedicated instance answers.
#include <filesystem>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/settings.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

std::string upload_path(const PublishOptions& options) {
  const std::filesystem::path file(options.file);
  std::string path = "jobs?kept=false&file_name=" + encoded(file.filename().string());
  if (!options.project.empty()) path += "&project=" + encoded(options.project);
  if (!options.name.empty()) path += "&name=" + encoded(options.name);
  for (const std::string& rule : options.input_rules) path += "&input=" + encoded(rule);
  return path;
}

void add_identity(const PublishOptions& options, const std::string& job, json::object& body) {
  body["job"] = job;
  if (!options.id.empty()) body["id"] = options.id;
  if (!options.key.empty()) body["key"] = options.key;
}

/// The job to publish: one that is there, or one made of the file, for this API alone.
Result<json::object> job_to_publish(const Session& session, const PublishOptions& options) {
  if (options.job.empty()) return session.upload(upload_path(options), options.file);
  return json::object{{"id", options.job}};
}

Status check_source(const PublishOptions& options) {
  if (options.file.empty() == options.job.empty()) return invalid("give one of: FILE, --job ID");
  if (options.job.empty()) TRY(check_model_file(options.file));
  if (!options.job.empty() &&
      !(options.project.empty() && options.name.empty() && options.input_rules.empty()))
    return invalid("--project, --name and --input belong to a FILE: a job has its own");
  return Ok{};
}

}  // namespace

Status publish(const Hooks& hooks, const Common& common, const PublishOptions& options) {
  TRY(check_source(options));
  json::object body;
  TRY(add_settings(options.settings, body));
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  ASSIGN_OR_RETURN(const json::object job, job_to_publish(session, options));
  const std::string job_id = text_of(job, "id");
  if (!options.replace.empty()) return replace(session, common, options, job_id);
  add_identity(options, job_id, body);
  auto api = session.ask("POST", "apis", body, random_uuid());
  if (!api.ok()) {
    // Nobody asked for the job by itself. The server forgets it after a while where this fails.
    if (options.job.empty()) static_cast<void>(session.ask("DELETE", "jobs/" + encoded(job_id)).ok());
    return api.error();
  }
  await_instance(session, *api);
  json::object shown_api;
  for (const char* name : {"id", "url", "key", "type", "state", "state_reason", "project", "name", "version",
                           "schedule", "next_start", "next_stop"})
    if (const json::value* value = api->if_contains(name)) shown_api[name] = *value;
  print_api(shown_api, common.form);
  for (const json::value& warning : list_in(object_in(job, "description"), "warnings"))
    remark("note: " + shown(warning));
  return Ok{};
}

}  // namespace noren::cli
