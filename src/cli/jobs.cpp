// noren jobs: what was imported, newest first.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

/// "-" where the job has no such number.
std::string number_text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? "-" : shown(*value);
}

std::string accuracy_text(const json::object& results) {
  const json::array& matrices = list_in(results, "confusion");
  if (matrices.empty() || !matrices.front().is_object()) return "-";
  const json::value* accuracy = matrices.front().get_object().if_contains("accuracy");
  return accuracy != nullptr && accuracy->is_double()
             ? fmt::format("{:.4f}", accuracy->get_double())
             : number_text(matrices.front().get_object(), "accuracy");
}

}  // namespace

void print_jobs(const json::array& jobs) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "PROJECT/NAME", "EPOCHS", "BEST VALIDATION", "ACCURACY", "COSTPARAMETER"}};
  for (const json::value& value : jobs) {
    const json::object& job = value.as_object();
    const json::object& results = object_in(job, "results");
    rows.push_back({text_of(job, "id"), text_of(job, "project") + "/" + text_of(job, "name"),
                    number_text(object_in(results, "curves"), "epochs"),
                    number_text(object_in(results, "result"), "best_validation"), accuracy_text(results),
                    number_text(job, "cost_parameter")});
  }
  print_table(rows);
}

Status jobs(const Hooks& hooks, const Common& common, const JobsOptions& options) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  const std::string project = options.project.empty() ? "" : "&project=" + encoded(options.project);
  ASSIGN_OR_RETURN(json::array all, session.list("jobs", options.limit_count, project));
  if (common.form == Form::kJson)
    print_json({{"jobs", std::move(all)}});
  else if (all.empty())
    remark("nothing is imported yet: try  noren import PATH");
  else
    print_jobs(all);
  return Ok{};
}

}  // namespace noren::cli
