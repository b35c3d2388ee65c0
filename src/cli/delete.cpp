// noren delete: an API, its keys, and what only it used. Asks first.
#include <iostream>

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {
namespace {

Result<bool> is_meant(const boost::json::object& api) {
  if (::isatty(STDIN_FILENO) == 0)
    return invalid("deleting can't be undone: add --yes where nobody can be asked");
  std::cerr << fmt::format("Delete {}/{} ({})? Its callers will be refused. [y/N] ", text_of(api, "project"),
                           text_of(api, "name"), text_of(api, "id"));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

Status remove(const Hooks& hooks, const Common& common, const DeleteOptions& options) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  const std::string path = "apis/" + encoded(options.id);
  if (!options.yes) {
    ASSIGN_OR_RETURN(const boost::json::object api, session.ask("GET", path));
    ASSIGN_OR_RETURN(const bool meant, is_meant(api));
    if (!meant) return make_error(Code::kFailedPrecondition, "nothing was deleted");
  }
  ASSIGN_OR_RETURN(const boost::json::object deleted, session.ask("DELETE", path));
  if (common.form == Form::kJson)
    print_json(deleted);
  else
    print(options.id + " is deleted\n");
  return Ok{};
}

}  // namespace noren::cli
