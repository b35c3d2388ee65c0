// noren on, noren off: an API answers, or says 503.
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {
namespace {

Status change(const Hooks& hooks, const Common& common, const std::string& id,
              const boost::json::object& body) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  ASSIGN_OR_RETURN(const boost::json::object api, session.ask("PATCH", "apis/" + encoded(id), body));
  if (common.form == Form::kJson)
    print_json(api);
  else
    print(text_of(api, "id") + " is " + text_of(api, "state") + "\n");
  return Ok{};
}

}  // namespace

Status switch_on(const Hooks& hooks, const Common& common, const IdOption& options) {
  return change(hooks, common, options.id, {{"enabled", true}});
}

Status switch_off(const Hooks& hooks, const Common& common, const IdOption& options) {
  return change(hooks, common, options.id, {{"enabled", false}});
}

}  // namespace noren::cli
