// noren update: change the settings of a published API. Callers notice nothing, but for a change of type,
// which gives another URL.
#include <boost/json.hpp>

#include "cli/settings.h"

namespace noren::cli {

Status update(const Hooks& hooks, const Common& common, const UpdateOptions& options) {
  boost::json::object body;
  TRY(add_settings(options.settings, body));
  if (!options.name.empty()) body["name"] = options.name;
  if (body.empty()) return invalid("nothing to change was given; noren update --help lists what there is");
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  ASSIGN_OR_RETURN(boost::json::object api, session.ask("PATCH", "apis/" + encoded(options.id), body));
  await_instance(session, api);
  print_api(api, common.form);
  return Ok{};
}

}  // namespace noren::cli
