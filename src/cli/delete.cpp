// noren delete: an API with its keys and what only it used, a job, or a project's jobs. Asks first.
#include <iostream>

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

Status ask(const std::string& question) {
  if (::isatty(STDIN_FILENO) == 0)
    return invalid("deleting can't be undone: add --yes where nobody can be asked");
  std::cerr << question << " [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return Ok{};
  return make_error(Code::kFailedPrecondition, "nothing was deleted");
}

struct Target {
  std::string path;
  std::string name;  ///< as the person gave it
};

Result<Target> target_of(const DeleteOptions& options) {
  if (!options.id.empty() + !options.job.empty() + !options.project.empty() != 1)
    return invalid("give one of: the ID of an API, --job ID, --project P");
  if (!options.job.empty()) return Target{"jobs/" + encoded(options.job), options.job};
  if (!options.project.empty()) return Target{"projects/" + encoded(options.project), options.project};
  return Target{"apis/" + encoded(options.id), options.id};
}

Status ask_about(const Session& session, const DeleteOptions& options, const Target& target) {
  if (!options.project.empty())
    return ask(fmt::format("Delete the project {} with all its jobs and their results?", options.project));
  ASSIGN_OR_RETURN(const json::object thing, session.ask("GET", target.path));
  const std::string label =
      fmt::format("{}/{} ({})", text_of(thing, "project"), text_of(thing, "name"), text_of(thing, "id"));
  return ask(options.job.empty() ? fmt::format("Delete {}? Its callers will be refused.", label)
                                 : fmt::format("Delete the job {} with its model and results?", label));
}

}  // namespace

Status remove(const Hooks& hooks, const Common& common, const DeleteOptions& options) {
  ASSIGN_OR_RETURN(const Target target, target_of(options));
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  if (!options.yes) TRY(ask_about(session, options, target));
  ASSIGN_OR_RETURN(const json::object deleted, session.ask("DELETE", target.path));
  if (common.form == Form::kJson)
    print_json(deleted);
  else
    print(target.name + " is deleted\n");
  return Ok{};
}

}  // namespace noren::cli
